-- What the nodes of a room agree on. Each call is one operation of one node, and Redis runs them one after another, so
-- that what is checked here is still true where it is written. `now` comes from clock.lua before this.
--
-- KEYS[1]: the room, in braces, so that a Redis Cluster keeps all of it in one place. Under it:
--   clock          the latest moment seen           incs          the last incarnation handed out
--   nodes          incarnation -> when it expires   named, about  node's name -> its incarnation, incarnation -> name, address
--   at:N           user -> online or suspect, as incarnation N claims
--   online, suspect   user -> how many incarnations claim that
--   since          user -> since when nobody claims them online
--   away           user -> when they will have left: whom nobody claims
--   pen, keys      its holder's name and token; the keys of the edits under it
--   token, queue, tickets, shown    the last token; user -> ticket; the last ticket; what was told of the pen
--   log, log:n     what became of all this, for the nodes to read; its last number
--   text           the edits, for ever

local room, op, inc = KEYS[1], ARGV[1], ARGV[5]
local ttl, linger, grace = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local FIRST = 6

local function at(name)
  return room .. ':' .. name
end

local function whole(number)
  return string.format('%.0f', number)
end

-- A clock that was set back stands still until it is where it was.
local before = tonumber(redis.call('GET', at('clock')) or 0)
now = math.max(now, before)
redis.call('SET', at('clock'), whole(now))

-- Entries are numbered without a gap, so that a reader sees what it missed.
local function tell(...)
  local n = redis.call('INCR', at('log:n'))
  redis.call('XADD', at('log'), 'MAXLEN', '~', 20000, whole(n) .. '-1', ...)
end

local function count(status, user, change)
  if redis.call('HINCRBY', at(status), user, change) == 0 then
    redis.call('HDEL', at(status), user)
  end
end

-- What all claims together say of a user.
local function judge(user)
  if redis.call('HEXISTS', at('online'), user) == 1 then
    redis.call('HDEL', at('since'), user)
    redis.call('ZREM', at('away'), user)
    return
  end
  redis.call('HSETNX', at('since'), user, whole(now))
  if redis.call('HEXISTS', at('suspect'), user) == 1 then
    redis.call('ZREM', at('away'), user)
  else
    redis.call('ZADD', at('away'), whole(now + linger), user)
  end
end

-- Whether it changed anything.
local function claim(user, status)
  local was = redis.call('HGET', at('at:' .. inc), user) or 'offline'
  if was == status then
    return false
  end
  if was ~= 'offline' then
    count(was, user, -1)
  end
  if status == 'offline' then
    redis.call('HDEL', at('at:' .. inc), user)
  else
    redis.call('HSET', at('at:' .. inc), user, status)
    count(status, user, 1)
  end
  judge(user)
  return true
end

-- An incarnation is over, and with it all that it claimed.
local function drop(which)
  local claims = redis.call('HGETALL', at('at:' .. which))
  redis.call('DEL', at('at:' .. which))
  redis.call('ZREM', at('nodes'), which)
  local about = cjson.decode(redis.call('HGET', at('about'), which))
  redis.call('HDEL', at('about'), which)
  if redis.call('HGET', at('named'), about[1]) == which then
    redis.call('HDEL', at('named'), about[1])
  end
  for i = 1, #claims, 2 do
    count(claims[i + 1], claims[i], -1)
    judge(claims[i])
  end
  tell('kind', 'gone', 'inc', which)
end

-- Who waits longest of those who are online.
local function next_in_line()
  local place = 0
  while true do
    local waiting = redis.call('ZRANGE', at('queue'), place, place + 99)
    for _, user in ipairs(waiting) do
      if redis.call('HEXISTS', at('since'), user) == 0 then
        return user
      end
    end
    if #waiting < 100 then
      return nil
    end
    place = place + 100
  end
end

local function holder()
  return redis.call('HGET', at('pen'), 'user')
end

local function give_up(user)
  if holder() == user then
    redis.call('DEL', at('pen'))
  end
  redis.call('ZREM', at('queue'), user)
end

-- All that has fallen due: those who have left, a grace that is over, a pen that is free.
local function settle()
  for _, user in ipairs(redis.call('ZRANGEBYSCORE', at('away'), '-inf', whole(now))) do
    redis.call('ZREM', at('away'), user)
    redis.call('HDEL', at('since'), user)
    give_up(user)
    tell('kind', 'left', 'user', user)
  end
  local user = holder()
  if user then
    local since = redis.call('HGET', at('since'), user)
    if not since or now < since + grace or not next_in_line() then
      return
    end
    redis.call('DEL', at('pen'))
  end
  user = next_in_line()
  if user then
    redis.call('ZREM', at('queue'), user)
    redis.call('HSET', at('pen'), 'user', user, 'token', redis.call('INCR', at('token')))
    redis.call('DEL', at('keys'))
  end
end

-- Holder, last token, whether frozen, how many wait, and the first of them.
local function pen()
  local user = holder()
  local frozen = user and redis.call('HEXISTS', at('since'), user) == 1
  local words = { user or '', redis.call('GET', at('token')) or '0', frozen and '1' or '0' }
  words[4] = whole(redis.call('ZCARD', at('queue')))
  for _, waiting in ipairs(redis.call('ZRANGE', at('queue'), 0, 9)) do
    words[#words + 1] = waiting
  end
  return words
end

local function show_pen()
  local words = cjson.encode(pen())
  if words ~= redis.call('GET', at('shown')) then
    redis.call('SET', at('shown'), words)
    tell('kind', 'pen', 'words', words)
  end
end

local run = {}

local function claim_all(from)
  for i = from, #ARGV, 2 do
    if claim(ARGV[i], ARGV[i + 1]) then
      tell('kind', 'claim', 'inc', inc, 'user', ARGV[i], 'status', ARGV[i + 1])
    end
  end
end

-- A node that was here under this name is here no more; what it claimed and claims again never was unclaimed.
function run.open()
  local name, address = ARGV[FIRST], ARGV[FIRST + 1]
  local former = redis.call('HGET', at('named'), name)
  if former then
    drop(former)
  end
  inc = whole(redis.call('INCR', at('incs')))
  redis.call('ZADD', at('nodes'), whole(now + ttl), inc)
  redis.call('HSET', at('named'), name, inc)
  redis.call('HSET', at('about'), inc, cjson.encode({ name, address }))
  tell('kind', 'node', 'inc', inc, 'name', name, 'address', address)
  claim_all(FIRST + 2)
  return { 'opened', inc }
end

function run.beat()
  redis.call('ZADD', at('nodes'), whole(now + ttl), inc)
  return { 'done' }
end

function run.claim()
  claim_all(FIRST)
  return { 'done' }
end

function run.say(user)
  tell('kind', 'said', 'inc', inc, 'user', user, 'text', ARGV[FIRST + 1])
  return { 'done' }
end

function run.want(user)
  if holder() ~= user then
    redis.call('ZADD', at('queue'), 'NX', redis.call('INCR', at('tickets')), user)
  end
  return { 'done' }
end

function run.give(user)
  give_up(user)
  return { 'done' }
end

-- An edit is good by the holder, under the newest token, while a node that is believed says that they are online. One that is
-- sent again is acknowledged again, and written once: who lost an answer may ask for it.
function run.write(user)
  local token, key, text = tonumber(ARGV[FIRST + 1]), ARGV[FIRST + 2], ARGV[FIRST + 3]
  if redis.call('HGET', at('at:' .. inc), user) ~= 'online' then
    return { 'refused', 'frozen' }
  end
  if token == 0 or token > tonumber(redis.call('GET', at('token')) or 0) then
    return { 'refused', 'never' }
  end
  if holder() ~= user or tonumber(redis.call('HGET', at('pen'), 'token')) ~= token then
    return { 'refused', 'stale' }
  end
  if redis.call('SADD', at('keys'), key) == 1 then
    redis.call('XADD', at('text'), '*', 'token', whole(token), 'user', user, 'key', key, 'text', text)
    tell('kind', 'wrote', 'token', whole(token), 'user', user, 'text', text)
  end
  return { 'done' }
end

function run.close()
  drop(inc)
  return { 'done' }
end

function run.look()
  local nodes, claims = {}, {}
  for _, which in ipairs(redis.call('ZRANGE', at('nodes'), 0, -1)) do
    local about = cjson.decode(redis.call('HGET', at('about'), which))
    nodes[#nodes + 1] = { which, about[1], about[2] }
    claims[#claims + 1] = { which, redis.call('HGETALL', at('at:' .. which)) }
  end
  local text = {}
  for _, entry in ipairs(redis.call('XREVRANGE', at('text'), '+', '-', 'COUNT', 20)) do
    table.insert(text, 1, { entry[2][2], entry[2][4], entry[2][8] })
  end
  local n = redis.call('GET', at('log:n')) or '0'
  return { 'seen', n, nodes, claims, redis.call('ZRANGE', at('away'), 0, -1), pen(), text }
end

-- Of somebody whom the asking node does not claim, it has nothing to say.
local of_a_user = { say = true, want = true, give = true, write = true }

local function carry_out()
  if op == 'open' or op == 'look' then
    return run[op]()
  end
  if not redis.call('ZSCORE', at('nodes'), inc) then
    return { 'expired' }
  end
  if of_a_user[op] and redis.call('HEXISTS', at('at:' .. inc), ARGV[FIRST]) == 0 then
    return { 'refused', 'absent' }
  end
  return run[op](ARGV[FIRST])
end

-- Nobody was heard for so long that all have expired: Redis was away. Whoever lingered may have come back to a node that could
-- not say so, and lingers anew.
if now >= before + ttl then
  for _, user in ipairs(redis.call('ZRANGE', at('away'), 0, -1)) do
    redis.call('ZADD', at('away'), whole(now + linger), user)
  end
end
for _, which in ipairs(redis.call('ZRANGEBYSCORE', at('nodes'), '-inf', whole(now))) do
  drop(which)
end
if op == 'write' or op == 'look' then
  -- They change nothing of who holds it, and see who does.
  settle()
  show_pen()
  return carry_out()
end
local reply = carry_out()
settle()
show_pen()
return reply

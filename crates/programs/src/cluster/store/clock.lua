-- Redis's own clock, in milliseconds: the only one that decides who has expired.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

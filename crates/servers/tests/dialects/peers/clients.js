// The official client of a protocol: `node clients.js PACKAGE URL [talks]`. It says when it is connected, and with which code its
// WebSocket was closed. Numbers are small, so that a trial takes seconds; those that judge have seconds to wait.
const { Module } = require("module");
const ws = require("ws");

const [name, url, talks] = process.argv.slice(2);
const connected = () => console.log("connected");
// What a library thinks of our small talk is not looked at.
console.info = console.warn = console.error = () => {};

// The WebSocket of all of them. One that talks sends a message each 100 ms beside what its library sends.
const small = name === "@nats-io/nats-core" ? Buffer.from("PUB news 2\r\nhi\r\n") : "hello";
class WebSocket extends ws.WebSocket {
  constructor(...how) {
    super(...how);
    const talk = talks && setInterval(() => this.readyState === WebSocket.OPEN && this.send(small), 100);
    this.on("close", (code) => {
      clearInterval(talk);
      console.log("closed", code);
    });
  }
}
globalThis.WebSocket = ws.WebSocket = WebSocket;
const load = Module._load;
Module._load = (what, ...how) => (what === "ws" ? ws : load(what, ...how));

const clients = {
  "engine.io-client"() {
    const { Socket } = require("engine.io-client");
    new Socket(url, { transports: ["websocket"] }).on("open", connected);
  },
  "socket.io-client"() {
    const { io } = require("socket.io-client");
    io(url, { transports: ["websocket"], reconnection: false }).on("connect", connected);
  },
  "graphql-ws"() {
    const { createClient } = require("graphql-ws");
    createClient({ url, webSocketImpl: WebSocket, lazy: false, keepAlive: 500, retryAttempts: 0, on: { connected } });
  },
  phoenix() {
    const { Socket } = require("phoenix");
    const socket = new Socket(`${url}socket`, { transport: WebSocket, heartbeatIntervalMs: 1500 });
    socket.onOpen(connected);
    socket.connect();
  },
  "@supabase/realtime-js"() {
    const { RealtimeClient } = require("@supabase/realtime-js");
    const how = { params: { apikey: "key" }, transport: WebSocket, heartbeatIntervalMs: 1500 };
    const client = new RealtimeClient(`${url}socket`, how);
    client.connect();
    const look = setInterval(() => {
      if (!client.isConnected()) return;
      connected();
      clearInterval(look);
    }, 50);
  },
  "pusher-js"() {
    // Its build for Node has a WebSocket inside; the one for workers takes ours.
    globalThis.self = globalThis;
    const Pusher = require("pusher-js/worker");
    const { hostname, port } = new URL(url);
    const where = { cluster: "", wsHost: hostname, wsPort: port, forceTLS: false, enabledTransports: ["ws"], disableStats: true };
    const pusher = new Pusher("key", { ...where, activityTimeout: 1000, pongTimeout: 3000 });
    pusher.connection.bind("connected", connected);
  },
  "@discordjs/ws"() {
    const { WebSocketManager, WebSocketShardEvents } = require("@discordjs/ws");
    const session_start_limit = { total: 1, remaining: 1, reset_after: 60_000, max_concurrency: 1 };
    const rest = { get: async () => ({ url, shards: 1, session_start_limit }) };
    const manager = new WebSocketManager({ token: "token", intents: 0, shardCount: 1, rest });
    manager.on(WebSocketShardEvents.Ready, connected);
    manager.on(WebSocketShardEvents.Error, () => {});
    manager.connect();
  },
  "@microsoft/signalr"(protocol) {
    const signalr = require("@microsoft/signalr");
    const how = { skipNegotiation: true, transport: signalr.HttpTransportType.WebSockets, WebSocket };
    const builder = new signalr.HubConnectionBuilder().withUrl(`${url.replace("ws", "http")}hub`, how);
    if (protocol) builder.withHubProtocol(protocol);
    const connection = builder.configureLogging(signalr.LogLevel.None).build();
    connection.serverTimeoutInMilliseconds = 3000;
    connection.keepAliveIntervalInMilliseconds = 500;
    connection.start().then(connected);
  },
  "@microsoft/signalr-protocol-msgpack"() {
    const { MessagePackHubProtocol } = require("@microsoft/signalr-protocol-msgpack");
    clients["@microsoft/signalr"](new MessagePackHubProtocol());
  },
  "subscriptions-transport-ws"() {
    const { SubscriptionClient } = require("subscriptions-transport-ws");
    new SubscriptionClient(url, { reconnect: false, timeout: 3000 }, WebSocket).onConnected(connected);
  },
  "@rails/actioncable"() {
    // It is made for pages: it asks whether the page is seen.
    globalThis.document = { addEventListener() {}, removeEventListener() {}, visibilityState: "visible" };
    document.createElement = () => ({ protocol: "ws:" });
    document.head = { querySelector: () => null };
    globalThis.addEventListener = globalThis.removeEventListener = () => {};
    const cable = require("@rails/actioncable");
    cable.adapters.WebSocket = WebSocket;
    cable.ConnectionMonitor.staleThreshold = 1.5;
    const consumer = cable.createConsumer(`${url}cable`);
    const { open } = consumer.connection.events;
    consumer.connection.events.open = function (event) {
      connected();
      return open.call(this, event);
    };
    consumer.connect();
  },
  "@stomp/stompjs"() {
    const { Client } = require("@stomp/stompjs");
    const beat = { heartbeatIncoming: 1500, heartbeatOutgoing: 1500 };
    const webSocketFactory = () => new WebSocket(url, ["v12.stomp"]);
    new Client({ ...beat, reconnectDelay: 0, webSocketFactory, onConnect: connected }).activate();
  },
  centrifuge() {
    const { Centrifuge } = require("centrifuge");
    const client = new Centrifuge(url, { websocket: WebSocket, maxServerPingDelay: 3000 });
    client.on("connected", connected);
    client.connect();
  },
  "@nats-io/nats-core"() {
    const { wsconnect } = require("@nats-io/nats-core");
    wsconnect({ servers: url, pingInterval: 1000, maxPingOut: 2, reconnect: false }).then(connected);
  },
  "home-assistant-js-websocket"() {
    const { createConnection, createLongLivedTokenAuth } = require("home-assistant-js-websocket");
    const auth = createLongLivedTokenAuth(url.replace("ws", "http").slice(0, -1), "token");
    createConnection({ auth }).then((connection) => {
      connected();
      // To ask is the program's business, here as there.
      setInterval(() => connection.ping().catch(() => {}), 500);
    });
  },
};
clients[name]();

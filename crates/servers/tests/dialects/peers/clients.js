// The official client of a protocol: `node clients.js NAME URL`. It says when it is connected, and how it was closed.
// Numbers are small, so that a trial takes seconds; those that judge have seconds to wait.
const { WebSocket } = require("ws");

const [name, url] = process.argv.slice(2);
globalThis.WebSocket = WebSocket;
const connected = () => console.log("connected");
const closed = (how) => console.log("closed", how);

const clients = {
  "engine.io"() {
    const { Socket } = require("engine.io-client");
    const socket = new Socket(url, { transports: ["websocket"] });
    socket.on("open", connected);
    socket.on("close", closed);
    setInterval(() => socket.send("hello"), 500);
  },
  graphql() {
    const { createClient } = require("graphql-ws");
    const on = { connected, closed: (event) => closed(event.code) };
    createClient({ url, webSocketImpl: WebSocket, lazy: false, keepAlive: 500, retryAttempts: 0, on });
  },
  phoenix() {
    const { Socket } = require("phoenix");
    const socket = new Socket(`${url}socket`, { transport: WebSocket, heartbeatIntervalMs: 1500 });
    socket.onOpen(connected);
    socket.onClose((event) => closed(event.code));
    socket.connect();
  },
  supabase() {
    const { RealtimeClient } = require("@supabase/realtime-js");
    const how = { params: { apikey: "key" }, transport: WebSocket, heartbeatIntervalMs: 1500 };
    const client = new RealtimeClient(`${url}socket`, how);
    client.connect();
    let was = false;
    setInterval(() => {
      const is = client.isConnected();
      if (is && !was) connected();
      if (was && !is) closed("");
      was = is;
    }, 50);
  },
  pusher() {
    const Pusher = require("pusher-js");
    const { hostname, port } = new URL(url);
    const where = { cluster: "", wsHost: hostname, wsPort: port, forceTLS: false, enabledTransports: ["ws"], disableStats: true };
    const pusher = new Pusher("key", { ...where, activityTimeout: 1000, pongTimeout: 3000 });
    pusher.connection.bind("connected", connected);
    pusher.connection.bind("disconnected", () => closed(""));
    pusher.connection.bind("connecting", () => closed(""));
  },
  signalr(protocol) {
    const signalr = require("@microsoft/signalr");
    const how = { skipNegotiation: true, transport: signalr.HttpTransportType.WebSockets, WebSocket };
    const builder = new signalr.HubConnectionBuilder().withUrl(`${url.replace("ws", "http")}hub`, how);
    if (protocol) builder.withHubProtocol(protocol);
    const connection = builder.configureLogging(signalr.LogLevel.None).build();
    connection.serverTimeoutInMilliseconds = 3000;
    connection.keepAliveIntervalInMilliseconds = 500;
    connection.onclose(() => closed(""));
    connection.start().then(connected);
  },
  "signalr, message pack"() {
    const { MessagePackHubProtocol } = require("@microsoft/signalr-protocol-msgpack");
    clients.signalr(new MessagePackHubProtocol());
  },
  subscriptions() {
    const { SubscriptionClient } = require("subscriptions-transport-ws");
    const client = new SubscriptionClient(url, { reconnect: false, timeout: 3000 }, WebSocket);
    client.onConnected(connected);
    client.onDisconnected(() => closed(""));
  },
  "action cable"() {
    // It is made for pages: it asks whether the page is seen.
    globalThis.document = { addEventListener() {}, removeEventListener() {}, visibilityState: "visible" };
    document.createElement = () => ({ protocol: "ws:" });
    document.head = { querySelector: () => null };
    globalThis.addEventListener = globalThis.removeEventListener = () => {};
    const cable = require("@rails/actioncable");
    cable.adapters.WebSocket = WebSocket;
    cable.ConnectionMonitor.staleThreshold = 1.5;
    const consumer = cable.createConsumer(`${url}cable`);
    const { opened, close } = consumer.connection.events;
    consumer.connection.events.open = function (event) {
      connected();
      return opened?.call(this, event);
    };
    consumer.connection.events.close = function (event) {
      closed("");
      return close.call(this, event);
    };
    consumer.connect();
  },
  stomp() {
    const { Client } = require("@stomp/stompjs");
    const client = new Client({
      heartbeatIncoming: 1500,
      heartbeatOutgoing: 1500,
      reconnectDelay: 0,
      webSocketFactory: () => new WebSocket(url, ["v12.stomp"]),
      onConnect: connected,
      onWebSocketClose: (event) => closed(event.code),
    });
    client.activate();
  },
  centrifugo() {
    const { Centrifuge } = require("centrifuge");
    const client = new Centrifuge(url, { websocket: WebSocket, maxServerPingDelay: 3000 });
    client.on("connected", connected);
    client.on("connecting", (context) => closed(context.code));
    client.connect();
  },
};
clients[name]();

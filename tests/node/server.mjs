// The server of Node's ws, as the package peers describes it.
//
// node server.mjs CERTIFICATE UNIX_SOCKET UNIX_SOCKET_FOR_TLS

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, STATUS_CODES } from "node:http";
import { createServer as createSecureServer } from "node:https";

import { WebSocketServer } from "ws";

const [certificate, path, pathForTls] = process.argv.slice(2);

/** What was noted, as promises with their `resolve`, by key. */
const notes = new Map();

function note(key) {
  if (!notes.has(key)) notes.set(key, Promise.withResolvers?.() ?? withResolvers());
  return notes.get(key);
}

// Promise.withResolvers came with Node 22.
function withResolvers() {
  const note = {};
  note.promise = new Promise((resolve) => (note.resolve = resolve));
  return note;
}

const behaviours = {
  echo(socket, options) {
    const size = Number(options.get("fragment") ?? 0);
    socket.on("message", (data, binary) => {
      if (size === 0) return socket.send(data, { binary });
      let start = 0;
      for (; start + size < data.length; start += size) {
        socket.send(data.subarray(start, start + size), { binary, fin: false });
      }
      socket.send(data.subarray(start), { binary, fin: true });
    });
  },

  send(socket, options) {
    sendMessages(socket, options);
    if (options.has("code")) socket.close(Number(options.get("code")), options.get("reason") ?? "");
    else socket.close(); // a Close frame without a code
  },

  abort(socket, options) {
    sendMessages(socket, options, () => socket.terminate());
  },

  ping(socket) {
    socket.on("pong", (payload) => socket.send(`pong ${payload}`));
    socket.ping("are you there");
  },

  pings(socket, options) {
    let missing = Number(options.get("count"));
    socket.on("ping", () => {
      if (--missing !== 0) return;
      note(options.get("id")).resolve(Number(options.get("count")));
      socket.send(`${options.get("count")} pings`);
    });
  },

  watch(socket, options) {
    socket.on("close", (code, reason) => note(options.get("id")).resolve([code, reason.toString()]));
  },

  async noted(socket, options) {
    socket.send(JSON.stringify(await note(options.get("id")).promise));
  },

  report(socket, options, request) {
    const headers = [];
    for (let n = 0; n < request.rawHeaders.length; n += 2) headers.push(request.rawHeaders.slice(n, n + 2));
    socket.send(JSON.stringify({ path: request.url, headers, subprotocol: socket.protocol || null }));
  },

  idle() {},
};

function sendMessages(socket, options, after = () => {}) {
  const count = Number(options.get("count") ?? 0);
  if (count === 0) return after();
  for (let n = 0; n < count; n++) socket.send(`message ${n}`, n === count - 1 ? after : undefined);
}

const websockets = new WebSocketServer({
  noServer: true,
  maxPayload: 0,
  perMessageDeflate: true,
  handleProtocols: (protocols) => (protocols.has("chat") ? "chat" : false),
});

function upgrade(request, stream, head) {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/status") {
    const code = url.searchParams.get("code");
    const body = url.searchParams.get("body");
    stream.end(
      `HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\nConnection: close\r\n` +
        `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    return;
  }
  websockets.handleUpgrade(request, stream, head, (socket) => {
    socket.on("error", () => {});
    behaviours[url.pathname.slice(1)](socket, url.searchParams, request);
  });
}

const tls = { key: readFileSync(certificate), cert: readFileSync(certificate) };
const servers = [createServer(), createSecureServer(tls), createServer(), createSecureServer(tls)];
for (const [n, server] of servers.entries()) {
  server.on("upgrade", upgrade);
  if (n < 2) server.listen(0, "127.0.0.1");
  else server.listen(n === 2 ? path : pathForTls);
  await once(server, "listening");
}
console.log(JSON.stringify({ ws: servers[0].address().port, wss: servers[1].address().port }));

process.stdin.on("end", () => process.exit());
process.stdin.resume();

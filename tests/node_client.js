// A visitor on Node's `ws`: says hello, prints every frame it gets, leaves after the answer.
const WebSocket = require("ws");

const ws = new WebSocket(process.argv[2]);
let frames = 0;

ws.on("message", (data) => {
  const frame = JSON.parse(data);
  console.log(JSON.stringify(frame));
  if (frame.type === "initialize" && frames++ === 0) {
    ws.send(JSON.stringify({ id: "1", type: "auth", payload: { token: process.env.TOKEN } }));
    ws.send(JSON.stringify({ id: "2", type: "connect" }));
  } else if (frame.type === "connect_success") {
    ws.send(JSON.stringify({ id: "3", type: "message_text", payload: { message: "hello from node" } }));
  } else if (frame.type === "message_text") {
    ws.close(1000);
  }
});
ws.on("close", (code) => console.log(JSON.stringify({ closed: code, extensions: ws.extensions })));
ws.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});

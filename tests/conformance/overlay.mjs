// An overlay page on the official Phoenix client: shows each alert and says so.
//
//   node overlay.mjs URL NAME
//
// Standard output: one JSON line for each thing that happens to the page, {"what", "id", "who", "at"};
// "at" is in milliseconds of the page's own clock. It ends when standard input does.

import { Socket } from "phoenix"
import WebSocket from "ws"

const [url, name] = process.argv.slice(2)
const say = (what, data = {}) =>
  process.stdout.write(
    JSON.stringify({ what, id: data.id ?? null, who: data.who ?? null, at: performance.now() }) + "\n",
  )

const socket = new Socket(url, {
  transport: WebSocket,
  heartbeatIntervalMs: 1000,
  timeout: 1500,
  reconnectAfterMs: () => 50,
  rejoinAfterMs: () => 50,
})
const channel = socket.channel("stream:overlays", { overlay: name })
let showing = null

function show(data) {
  showing = data.id
  say("shown", data)
  channel.push("alert_shown", { id: data.id }).receive("error", answer => say(JSON.stringify(answer)))
}

channel.on("content_update", ({ type, data }) => {
  if (type === "alert") show(data)
})
channel.on("takeover_clear", () => {
  showing = null
  say("cleared")
})
// What came while the page was away, or ended.
channel.on("stream_state", ({ active_content: active }) => {
  if (active?.type !== "alert") showing = null
  else if (active.data.id !== showing) show(active.data)
})
channel.onError(() => {
  showing = null
})
// Once for each join: phoenix.js keeps the first push and sends it again.
channel.join().receive("ok", () => say("joined"))
socket.connect()

process.stdin.resume()
process.stdin.on("end", () => process.exit(0))

// The official Phoenix client against the embedded hub: one named check after another.
//
//   node conformance.mjs URL
//
// Standard output: one JSON line for each check, {"check", "ok", "detail"}, and one for each thing that
// the hub is to do, {"do", "with"}, which is answered by one JSON line on standard input.

import { createInterface } from "node:readline"
import { isDeepStrictEqual } from "node:util"
import { Presence, Socket } from "phoenix"
import WebSocket from "ws"

const url = process.argv[2]
const LIMIT = 4000 // milliseconds for any single wait
const say = line => process.stdout.write(JSON.stringify(line) + "\n")

const answers = []
createInterface({ input: process.stdin }).on("line", line => answers.shift()(JSON.parse(line)))
function hub(task, ...args) {
  const answer = new Promise(resolve => answers.push(resolve))
  say({ do: task, with: args })
  return within(answer, `the hub's answer to ${task}`)
}

function within(promise, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${LIMIT} ms for ${what}`)), LIMIT)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function equal(found, expected, what = "value") {
  if (isDeepStrictEqual(found, expected)) return
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`)
}

// What a check opened, to be closed after it.
let sockets = []

function socket(options = {}, address = url) {
  const made = new Socket(address, {
    transport: WebSocket,
    heartbeatIntervalMs: 10000,
    timeout: 1500,
    reconnectAfterMs: () => 30,
    rejoinAfterMs: () => 30,
    ...options,
  })
  made.closes = []
  made.onClose(event => made.closes.push(event.code))
  sockets.push(made)
  return made
}

function connected(made) {
  if (made.isConnected()) return Promise.resolve(made)
  const opened = new Promise(resolve => made.onOpen(() => resolve(made)))
  if (!made.connection) made.connect()
  return within(opened, "the connection")
}

const nextClose = made => within(new Promise(resolve => made.onClose(event => resolve(event.code))), "a close")

function outcome(push, what) {
  return within(
    new Promise(resolve => {
      push.receive("ok", response => resolve({ status: "ok", response }))
      push.receive("error", response => resolve({ status: "error", response }))
      push.receive("pending", response => resolve({ status: "pending", response }))
      push.receive("timeout", () => resolve({ status: "timeout" }))
    }),
    what,
  )
}

async function joined(topic, params = {}, options = {}) {
  const made = await connected(socket(options))
  const channel = made.channel(topic, params)
  channel.socketOfCheck = made
  equal((await outcome(channel.join(), `the join of ${topic}`)).status, "ok", "join")
  return channel
}

const ask = (channel, event, payload = {}) => outcome(channel.push(event, payload), `the reply to ${event}`)

function next(channel, event) {
  return within(
    new Promise(resolve => {
      const ref = channel.on(event, payload => {
        channel.off(event, ref)
        resolve(payload)
      })
    }),
    event,
  )
}

async function until(condition, what) {
  const end = Date.now() + LIMIT
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${LIMIT} ms for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

const bytes = buffer => Array.from(new Uint8Array(buffer))
const isJoined = channel => () => channel.state === "joined"

async function check(name, body) {
  try {
    await body()
    say({ check: name, ok: true, detail: "" })
  } catch (error) {
    say({ check: name, ok: false, detail: String(error.stack ?? error) })
  }
  for (const made of sockets) made.disconnect()
  sockets = []
  await hub("clear")
}

await check("connects and opens", async () => {
  const made = await connected(socket())
  equal(made.connectionState(), "open")
})

await check("join is answered with the channel's response", async () => {
  const made = await connected(socket())
  const result = await outcome(made.channel("echo:1", { a: 1 }).join(), "the join")
  equal(result, { status: "ok", response: { params: { a: 1 }, topic: "echo:1" } })
})

await check("push is answered ok", async () => {
  const channel = await joined("echo:1")
  const payload = { text: "héllo 🦊", n: [1, 2.5, null] }
  equal(await ask(channel, "echo", payload), { status: "ok", response: payload })
})

await check("push is answered error", async () => {
  equal(await ask(await joined("echo:1"), "error"), { status: "error", response: { reason: "nope" } })
})

await check("push is answered with a status of the server's own", async () => {
  equal(await ask(await joined("echo:1"), "custom_status"), { status: "pending", response: { a: 1 } })
})

await check("push that is never answered times out", async () => {
  const channel = await joined("echo:1")
  equal((await outcome(channel.push("silent", {}, 60), "the time-out")).status, "timeout")
})

await check("server push arrives", async () => {
  const channel = await joined("echo:1")
  const pushed = next(channel, "pushed")
  channel.push("push", { p: 1 })
  equal(await pushed, { p: 1 })
})

await check("refused join is answered error", async () => {
  const made = await connected(socket())
  const result = await outcome(made.channel("private:x").join(), "the refusal")
  equal(result, { status: "error", response: { reason: "unauthorized" } })
})

await check("unmatched topic is answered error", async () => {
  const made = await connected(socket())
  const result = await outcome(made.channel("nosuch:1").join(), "the refusal")
  equal(result, { status: "error", response: { reason: "unmatched topic" } })
})

await check("crashing join is answered error", async () => {
  const made = await connected(socket())
  const result = await outcome(made.channel("joincrash:1").join(), "the refusal")
  equal(result, { status: "error", response: { reason: "join crashed" } })
})

await check("join refused for a while is rejoined", async () => {
  await hub("refuse_join", "echo:late", 3)
  const made = await connected(socket())
  const channel = made.channel("echo:late")
  channel.join()
  await until(isJoined(channel), "the join after three refusals")
})

await check("broadcast reaches every client", async () => {
  const one = await joined("echo:1")
  const two = await joined("echo:1")
  const [first, second] = [next(one, "shout"), next(two, "shout")]
  one.push("shout", { yell: 1 })
  equal(await Promise.all([first, second]), [{ yell: 1 }, { yell: 1 }])
})

await check("broadcast_from leaves the sender out", async () => {
  const one = await joined("echo:1")
  const two = await joined("echo:1")
  let heard = 0
  one.on("shout", () => heard++)
  const second = next(two, "shout")
  equal((await ask(one, "shout_from", { yell: 1 })).status, "ok")
  equal(await second, { yell: 1 })
  await ask(one, "echo")
  equal(heard, 0, "heard by the sender")
})

await check("broadcast from the hub itself arrives", async () => {
  const channel = await joined("echo:1")
  const news = next(channel, "news")
  await hub("broadcast", "echo:1", "news", { n: 1 })
  equal(await news, { n: 1 })
})

await check("binary push and reply", async () => {
  const channel = await joined("echo:b")
  const result = await ask(channel, "echo", Uint8Array.from([9, 8, 7]).buffer)
  equal([result.status, bytes(result.response)], ["ok", [9, 8, 7]])
})

await check("binary error reply", async () => {
  const result = await ask(await joined("echo:b"), "binary_error")
  equal([result.status, bytes(result.response)], ["error", [0, 1, 2, 253, 254, 255]])
})

await check("binary server push", async () => {
  const channel = await joined("echo:b")
  const pushed = next(channel, "pushed_binary")
  channel.push("push_binary", { hex: "cafe" })
  equal(bytes(await pushed), [0xca, 0xfe])
})

await check("binary broadcast", async () => {
  const channel = await joined("echo:b")
  const shout = next(channel, "shout_binary")
  channel.push("shout_binary", { hex: "beef" })
  equal(bytes(await shout), [0xbe, 0xef])
})

await check("presence is synchronised", async () => {
  const watch = async user => {
    const made = await connected(socket())
    const channel = made.channel("presence:r", { user })
    const presence = new Presence(channel)
    channel.join()
    return { made, channel, presence, names: () => presence.list(name => name).sort() }
  }
  const alice = await watch("alice")
  await until(() => alice.names().length === 1, "alice")
  const bob = await watch("bob")
  await until(() => alice.names().length === 2 && bob.names().length === 2, "both on both sides")
  equal((await ask(bob.channel, "update", { away: true })).status, "ok")
  await until(() => alice.presence.list((_, { metas }) => metas[0].away).includes(true), "the update")
  equal(alice.presence.list((_, { metas }) => metas.length), [1, 1], "metas")
  bob.made.disconnect()
  await until(() => alice.names().length === 1, "bob's leave")
})

await check("leave is answered and closes the channel", async () => {
  const channel = await joined("echo:1")
  let closed = 0
  channel.onClose(() => closed++)
  equal((await outcome(channel.leave(), "the leave")).status, "ok")
  equal([channel.state, closed >= 1], ["closed", true])
})

await check("leave and join again at once", async () => {
  const first = await joined("echo:again")
  const made = first.socketOfCheck
  first.leave()
  const second = made.channel("echo:again", { n: 2 })
  equal((await outcome(second.join(), "the second join")).response.params, { n: 2 })
  equal((await ask(second, "echo", { still: "there" })).status, "ok")
  equal(second.state, "joined")
})

await check("channel rejoins after a crash", async () => {
  const channel = await joined("echo:1")
  const crashed = within(new Promise(resolve => channel.onError(resolve)), "phx_error")
  const before = channel.joinRef()
  channel.push("crash", {})
  equal(await crashed, { reason: "channel_crash" })
  await until(isJoined(channel), "the rejoin")
  if (channel.joinRef() === before) throw new Error("the join_ref was not renewed")
  equal((await ask(channel, "echo", { n: 1 })).response, { n: 1 })
})

await check("channel closed by the server stays closed", async () => {
  const channel = await joined("echo:1")
  const closed = within(new Promise(resolve => channel.onClose(resolve)), "phx_close")
  channel.push("stop", {})
  await closed
  equal(channel.state, "closed")
  equal(await hub("joined", "echo:1"), 0, "channels left on the hub")
})

await check("reply comes before the server's close", async () => {
  equal(await ask(await joined("echo:1"), "stop_reply"), { status: "ok", response: { bye: true } })
})

await check("duplicate join replaces the old channel", async () => {
  const first = await joined("echo:d", { n: 1 })
  const made = first.socketOfCheck
  // By hand, since the client would leave the first one before.
  const seen = []
  made.onMessage(({ event, ref, join_ref }) => seen.push([event, ref, join_ref]))
  made.push({ topic: "echo:d", event: "phx_join", payload: { n: 2 }, ref: "900", join_ref: "900" })
  await until(() => seen.length >= 2, "the reply and the close")
  const old = first.joinRef()
  equal(seen.slice(0, 2), [["phx_reply", "900", "900"], ["phx_close", old, old]])
  equal(await hub("joined", "echo:d"), 1, "channels on the hub")
})

await check("push to a channel the server lost is unmatched", async () => {
  const channel = await joined("echo:1")
  const made = channel.socketOfCheck
  const reply = within(
    new Promise(resolve => made.onMessage(message => message.ref === "901" && resolve(message))),
    "the reply",
  )
  made.push({ topic: "echo:never", event: "echo", payload: {}, ref: "901", join_ref: "901" })
  equal((await reply).payload, { status: "error", response: { reason: "unmatched topic" } })
})

await check("reconnects and rejoins after a TCP drop", async () => {
  const channel = await joined("echo:1")
  const made = channel.socketOfCheck
  const closed = nextClose(made)
  await hub("drop_all")
  equal(await closed, 1006)
  await until(isJoined(channel), "the rejoin")
  equal((await ask(channel, "echo", { n: 1 })).status, "ok")
})

await check("reconnects and rejoins after a graceful restart", async () => {
  const channel = await joined("echo:1")
  const idle = await connected(socket())
  const codes = [nextClose(channel.socketOfCheck), nextClose(idle)]
  await hub("restart", 0.1)
  equal(await Promise.all(codes), [1012, 1000])
  await until(isJoined(channel), "the rejoin")
  equal((await ask(channel, "echo", { n: 1 })).status, "ok")
})

await check("push made while away is sent after the rejoin", async () => {
  const channel = await joined("echo:1")
  await hub("refuse")
  await hub("drop_all")
  await until(() => channel.state !== "joined", "the drop")
  const answer = ask(channel, "echo", { late: true })
  await hub("accept")
  equal(await answer, { status: "ok", response: { late: true } })
})

await check("heartbeats are answered", async () => {
  const made = await connected(socket({ heartbeatIntervalMs: 25 }))
  let replies = 0
  made.onMessage(({ topic, event }) => (replies += topic === "phoenix" && event === "phx_reply"))
  await until(() => replies >= 3, "three heartbeat replies")
  equal(made.closes, [])
})

await check("ping measures the round trip", async () => {
  const made = await connected(socket())
  const time = await within(new Promise(resolve => made.ping(resolve)), "the ping's reply")
  if (!(time >= 0 && time < 1000)) throw new Error(`${time} ms`)
})

await check("frozen hub is given up by the heartbeat, then joined again", async () => {
  const channel = await joined("echo:1", {}, { heartbeatIntervalMs: 100 })
  const failed = within(new Promise(resolve => channel.onError(resolve)), "the time-out")
  await hub("freeze")
  equal(await failed, { source: "transport", reason: "heartbeat_timeout" })
  await hub("thaw")
  await until(isJoined(channel), "the rejoin")
})

await check("silent hub is given up by the heartbeat", async () => {
  await hub("accept_silent")
  const made = await connected(socket({ heartbeatIntervalMs: 60 }))
  const opened = within(new Promise(resolve => made.onOpen(resolve)), "a second connection")
  await opened
})

await check("connection parameters arrive", async () => {
  const channel = await joined("echo:1", {}, { params: { id: "user:w1", room: "a b&c" } })
  const { response } = await ask(channel, "whoami")
  equal(response.params, { id: "user:w1", room: "a b&c", vsn: "2.0.0" })
})

await check("connection parameters are asked for at each connect", async () => {
  let count = 0
  const channel = await joined("echo:1", {}, { params: () => ({ count: String(++count) }) })
  await hub("drop_all")
  await until(() => channel.state !== "joined", "the drop")
  await until(isJoined(channel), "the rejoin")
  equal((await ask(channel, "whoami")).response.params.count, "2")
})

await check("auth token is accepted, and phoenix answered as the subprotocol", async () => {
  await hub("require_token", "s3cret ünder")
  const token = Buffer.from("s3cret ünder", "utf8").toString("binary")
  const made = await connected(socket({ authToken: token }))
  equal(made.connection.transport.protocol, "phoenix")
})

await check("wrong auth token is refused", async () => {
  await hub("require_token", "s3cret")
  const made = socket({ authToken: "other", reconnectAfterMs: () => 60000 })
  made.connect()
  equal(await nextClose(made), 1006)
})

await check("token as a parameter is accepted", async () => {
  await hub("require_token", "s3cret")
  await connected(socket({ params: { token: "s3cret" } }))
})

await check("version 1 is spoken", async () => {
  const made = socket({
    vsn: "1.0.0",
    encode: ({ topic, event, payload, ref }, send) => send(JSON.stringify({ topic, event, payload, ref })),
    decode: (raw, receive) => receive(JSON.parse(raw)),
  })
  await connected(made)
  const channel = made.channel("echo:1", { a: 1 })
  equal((await outcome(channel.join(), "the join")).response, { params: { a: 1 }, topic: "echo:1" })
  equal(await ask(channel, "echo", { b: 1 }), { status: "ok", response: { b: 1 } })
  const shout = next(channel, "shout")
  channel.push("shout", { c: 1 })
  equal(await shout, { c: 1 })
})

await check("unknown version is refused", async () => {
  const made = socket({ vsn: "3.0.0", reconnectAfterMs: () => 60000 })
  made.connect()
  equal(await nextClose(made), 1006)
})

await check("slow join holds up the heartbeat on its connection", async () => {
  const made = await connected(socket())
  const order = []
  const join = made.channel("slowjoin:1", { ms: 150 }).join()
  join.receive("ok", () => order.push("join"))
  made.ping(() => order.push("heartbeat"))
  await until(() => order.length === 2, "both")
  equal(order, ["join", "heartbeat"])
})

await check("slow join does not hold up another connection", async () => {
  const slow = await connected(socket())
  const join = slow.channel("slowjoin:1", { ms: 300 }).join()
  const order = []
  join.receive("ok", () => order.push("join"))
  const other = await connected(socket())
  other.ping(() => order.push("heartbeat"))
  await until(() => order.length === 2, "both")
  equal(order, ["heartbeat", "join"])
})

await check("blocked handler holds up its channel alone", async () => {
  const channel = await joined("echo:1")
  const other = channel.socketOfCheck.channel("echo:2")
  const order = []
  await outcome(other.join(), "the second join")
  channel.push("block", { ms: 120 }).receive("ok", () => order.push("blocked"))
  channel.push("echo", {}).receive("ok", () => order.push("behind"))
  other.push("echo", {}).receive("ok", () => order.push("other"))
  await until(() => order.length === 3, "all three")
  equal(order, ["other", "blocked", "behind"])
})

await check("frame that is not JSON closes with 1011", async () => {
  const channel = await joined("echo:1", {}, { reconnectAfterMs: () => 60000 })
  const closed = nextClose(channel.socketOfCheck)
  channel.socketOfCheck.connection.transport.send("{not json")
  equal(await closed, 1011)
})

await check("frame that is too large closes with 1009", async () => {
  const channel = await joined("echo:1", {}, { reconnectAfterMs: () => 60000 })
  const closed = nextClose(channel.socketOfCheck)
  channel.push("echo", { pad: "x".repeat(8_100_000) })
  equal(await closed, 1009)
})

await check("disconnected by its id closes with 1001", async () => {
  const options = { params: { id: "user:kick" }, reconnectAfterMs: () => 60000 }
  const channel = await joined("echo:1", {}, options)
  const other = await connected(socket({ params: { id: "user:stay" } }))
  const closed = nextClose(channel.socketOfCheck)
  await hub("disconnect", "user:kick")
  equal(await closed, 1001)
  equal(other.closes, [])
})

await check("close asked for by the client is answered with 1000", async () => {
  const made = await connected(socket())
  const closed = nextClose(made)
  made.connection.transport.close(4000)
  equal(await closed, 1000)
})

await check("hundred channels join, one more is refused", async () => {
  const made = await connected(socket())
  const joins = []
  for (let n = 1; n <= 101; n++) joins.push(outcome(made.channel(`echo:${n}`).join(), `join ${n}`))
  const results = await Promise.all(joins)
  equal(results.filter(result => result.status === "ok").length, 100)
  equal(results[100].response, { reason: "too many channels joined" })
})

await check("flood arrives whole and in order", async () => {
  const channel = await joined("echo:1")
  let count = 0
  let wrong = 0
  channel.on("flood", ({ n }) => (wrong += n !== count++))
  await hub("flood", "echo:1", 2000, 200)
  await until(() => count === 2000, "2,000 messages")
  equal(wrong, 0, "out of order")
})

await check("fragmented message arrives whole", async () => {
  const channel = await joined("echo:1")
  const whole = next(channel, "fragmented")
  await hub("fragmented", "echo:1")
  equal(await whole, { whole: true })
})

await check("state of the stream is pushed after the join", async () => {
  const made = await connected(socket())
  const channel = made.channel("stream:overlays")
  const state = next(channel, "stream_state")
  const reply = await outcome(channel.join(), "the join")
  equal([reply.status, reply.response.success], ["ok", true])
  equal(Array.isArray((await state).interrupt_stack), true)
})

process.exit(0)

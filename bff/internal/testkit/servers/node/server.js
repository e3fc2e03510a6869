// A stock server of @grpc/grpc-js. It answers a call with the bytes that it got, and does what the metadata x-do says; see package
// servers. It tells about each call on stdout, takes commands on stdin, and ends with it.
'use strict'

const fs = require('node:fs')
const http2 = require('node:http2')
const readline = require('node:readline')
const grpc = require('@grpc/grpc-js')

const config = JSON.parse(process.argv[2])
const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n')

// The wire format of protobuf: a field with a length before it.
function field(number, bytes) {
  const head = [(number << 3) | 2]
  let length = bytes.length
  for (; length > 127; length >>= 7) head.push((length & 127) | 128)
  return Buffer.concat([Buffer.from([...head, length]), bytes])
}

// What x-do asks for: "fail times=3" is {fail: true, times: 3}.
function wishes(call) {
  const words = String(call.metadata.get('x-do')[0] ?? '').split(' ')
  return Object.fromEntries(words.map((word) => word.split('=')).map(([key, value]) => [key, Number(value ?? 1)]))
}

// Once all is through it answers, fails or waits for the end of the call, as the call wishes.
function finish(call, wish, answer) {
  if (wish.fail) {
    const trailers = new grpc.Metadata()
    trailers.set('grpc-status-details-bin', Buffer.from(config.details, 'base64'))
    answer({ code: grpc.status.FAILED_PRECONDITION, details: 'no more', metadata: trailers })
  } else if (!wish.hang) {
    answer(null)
  }
}

function begin(call, path) {
  const left = Number.isFinite(+call.getDeadline()) ? call.getDeadline() - Date.now() : 0
  const metadata = {}
  for (const key of Object.keys(call.metadata.getMap())) metadata[key] = call.metadata.get(key).map((v) => v.toString('latin1'))

  const id = metadata['x-call']?.[0] ?? ''
  tell({ event: 'begin', call: id, path, authority: call.getHost(), left, metadata })
  const cancelled = () => tell({ event: 'cancelled', call: id })
  if (call.cancelled) cancelled()
  else call.on('cancelled', cancelled)

  const wish = wishes(call)
  if (!wish.fail || wish.times) {
    const header = new grpc.Metadata()
    header.set('x-tag-bin', Buffer.from([0, 255, 10]))
    call.sendMetadata(header)
  }

  return wish
}

const padded = (message, wish) => (wish.size ? Buffer.concat([message, field(15, Buffer.alloc(wish.size))]) : message)

const kinds = {
  unary: (path) => (call, callback) => {
    const wish = begin(call, path)
    finish(call, wish, (error) => callback(error, padded(call.request, wish)))
  },
  serverStream: (path) => async (call) => {
    const wish = begin(call, path)
    for (let i = 0; i < (wish.times ?? 0); i++) {
      if (!call.write(padded(call.request, wish))) await new Promise((resolve) => call.once('drain', resolve))
    }
    finish(call, wish, (error) => (error ? call.emit('error', error) : call.end()))
  },
  clientStream: (path) => (call, callback) => {
    const wish = begin(call, path)
    const messages = []
    call.on('data', (message) => messages.push(field(1, message)))
    call.on('end', () => finish(call, wish, (error) => callback(error, Buffer.concat(messages))))
  },
  bidi: (path) => (call) => {
    const wish = begin(call, path)
    call.on('data', (message) => call.write(padded(message, wish)))
    call.on('end', () => finish(call, wish, (error) => (error ? call.emit('error', error) : call.end())))
  },
}

const bytes = (value) => value
const streams = { unary: [false, false], serverStream: [false, true], clientStream: [true, false], bidi: [true, true] }

function add(server, path, kind, handler) {
  const [requestStream, responseStream] = streams[kind]
  const definition = {
    path, requestStream, responseStream,
    requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes,
  }
  server.addService({ method: definition }, { method: handler })
}

const server = new grpc.Server(config.options)
for (const [path, kind] of Object.entries(config.methods)) add(server, path, kind, kinds[kind](path))

// grpc.health.v1: field 1 is the status.
let health = config.health
const watchers = new Set()
const status = () => Buffer.from([8, health])

if (health) {
  add(server, '/grpc.health.v1.Health/Check', 'unary', (_, callback) => callback(null, status()))
  add(server, '/grpc.health.v1.Health/Watch', 'serverStream', (call) => {
    tell({ event: 'watch' })
    watchers.add(call)
    call.on('cancelled', () => watchers.delete(call))
    call.write(status())
  })
}

const commands = {
  health(value) {
    health = Number(value)
    for (const call of watchers) call.write(status())
  },
  // What servers do to clients that ping too often: GOAWAY, and then the end of the connection.
  calm() {
    for (const session of server.sessions.keys()) {
      session.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, 0x7fffffff, Buffer.from('too_many_pings'))
      // Its answer says that GOAWAY has arrived.
      session.ping(() => session.destroy(undefined, http2.constants.NGHTTP2_CANCEL))
    }
  },
  stop() {
    server.forceShutdown()
    setImmediate(() => process.exit(0))
  },
  drain() {
    for (const call of watchers) call.end()
    server.tryShutdown(() => process.exit(0))
  },
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [name, value] = line.split(' ')
  commands[name](value)
}).on('close', () => process.exit(0))

const pem = (name) => fs.readFileSync(name)
const credentials = config.tls
  ? grpc.ServerCredentials.createSsl(pem(config.tls.ca), [{ private_key: pem(config.tls.key), cert_chain: pem(config.tls.cert) }], config.tls.mutual)
  : grpc.ServerCredentials.createInsecure()

server.bindAsync(config.address, credentials, (error, port) => {
  if (error) throw error
  tell({ event: 'listening', port })
})

// What an agent's Node program does with the Minds API, by `fetch`.
//
//     node_fetch.mjs calls <number> | upload chunked|sized <bytes> | download <bytes> | mirror <pieces> | events | refusal
//
// The environment is what `mngr latchkey create-agent-env` gives an agent, and AGENT_ID. Prints what happened as JSON; `events`
// prints the stream as it comes.

import { createHash, randomBytes } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';

const { env } = process;
const AGENTS = `${env.LATCHKEY_GATEWAY}/minds-api-proxy/api/v1/agents/`;
const BASE = AGENTS + env.AGENT_ID;
const HEADERS = {
  'X-Latchkey-Gateway-Password': env.LATCHKEY_GATEWAY_PASSWORD,
  'X-Latchkey-Gateway-Permissions-Override': env.LATCHKEY_GATEWAY_PERMISSIONS_OVERRIDE,
};
const PIECE = 100_000;

const call = (url, options) => fetch(url, { headers: HEADERS, ...options });

async function checked(response) {
  if (!response.ok) throw new Error(`${response.url} was answered ${response.status}: ${await response.text()}`);
  return response;
}

async function calls(number) {
  let connections = 0;
  channel('undici:client:connected').subscribe(() => (connections += 1));
  const answers = [];
  for (let index = 0; index < Number(number); index += 1) {
    const method = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'][index % 5];
    const body = ['POST', 'PUT'].includes(method) ? 'x'.repeat(index) : undefined;
    const parameters = new URLSearchParams({ number: index, name: 'café' });
    const response = await call(`${BASE}/request?${parameters}`, { method, body });
    answers.push(await (await checked(response)).json());
    // A connection is free again one turn after its answer has ended; who asks before that gets another one.
    await new Promise(setImmediate);
  }
  return { connections, answers };
}

function stream(pieces) {
  return new ReadableStream({
    pull(controller) {
      const { done, value } = pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

async function upload(framing, size) {
  const digest = createHash('sha256');
  const made = function* () {
    for (let remaining = Number(size); remaining > 0; remaining -= PIECE) {
      const piece = randomBytes(Math.min(PIECE, remaining));
      digest.update(piece);
      yield piece;
    }
  };
  const body = framing === 'sized' ? Buffer.concat([...made()]) : stream(made());
  const response = await call(`${BASE}/request`, { method: 'PUT', body, duplex: 'half' });
  const answer = await (await checked(response)).json();
  return { sent: digest.digest('hex'), answer };
}

async function download(size) {
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const piece of (await checked(await call(`${BASE}/blob/${size}`))).body) {
    digest.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: digest.digest('hex') };
}

// The next piece is made when the last one has come back.
async function mirror(pieces) {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  const first = writer.write(Buffer.from('piece 0'));
  const response = await checked(await call(`${BASE}/mirror`, { method: 'POST', body: readable, duplex: 'half' }));
  await first;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const returned = [];
  for (let index = 1; index <= Number(pieces); index += 1) {
    returned.push((await reader.read()).value);
    await (index < Number(pieces) ? writer.write(Buffer.from(`piece ${index}`)) : writer.close());
  }
  const { done } = await reader.read();
  if (!done) throw new Error('more came back than was sent');
  return { returned };
}

async function refusal() {
  const response = await call(`${AGENTS}agent-${'0'.repeat(32)}/request`);
  return { status: response.status, error: (await response.json()).error };
}

async function events() {
  for await (const piece of (await checked(await call(`${BASE}/events`))).body) process.stdout.write(piece);
}

const [task, ...parameters] = process.argv.slice(2);
const result = await { calls, upload, download, mirror, refusal, events }[task](...parameters);
if (result !== undefined) console.log(JSON.stringify(result));

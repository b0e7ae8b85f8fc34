// SPDX-License-Identifier: MIT
//
// The server of the soak, a process of its own: it verifies what comes, and answers with the bytes that are asked for.

import http from 'node:http';
import { difference, Label } from './labels.mjs';

/** The bodies that a request's path names: `/seed/number/size of the upload/size of the answer/framing`. */
export function labelsOf(path) {
  const [, seed, number, upload, answer, framing] = path.split('/');
  const key = [Number(seed), Number(number)];
  return {
    upload: new Label('the upload', [...key, 1], Number(upload)),
    answer: new Label('the answer', [...key, 2], Number(answer)),
    framing,
  };
}

async function serve(request, response) {
  const { upload, answer, framing } = labelsOf(request.url);
  let at = 0;
  let wrong = null;
  for await (const bytes of request) {
    wrong ??= difference(bytes, upload, at, [upload, answer]);
    at += bytes.length;
  }
  if (at !== upload.size) wrong ??= `${at} bytes of ${upload.size} came`;
  if (wrong !== null) {
    response.writeHead(500).end(wrong);
  } else if (framing === 'chunked') {
    for (let from = 0; from < answer.size; from += 20_000) response.write(answer.bytes.subarray(from, from + 20_000));
    response.end();
  } else {
    response.writeHead(200, framing === 'close' ? { Connection: 'close' } : { 'Content-Length': answer.size }).end(answer.bytes);
  }
}

if (process.send !== undefined) {
  const server = http.createServer({ keepAliveTimeout: 60_000 }, serve);
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.on('disconnect', () => process.exit());
}

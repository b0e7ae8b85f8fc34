// SPDX-License-Identifier: MIT
import { Connection } from 'porthole:http/client@0.1.0';

/** The body, piece by piece. */
function* pieces(response) {
  for (let piece = response.read1(65536); piece.length > 0; piece = response.read1(65536)) yield piece;
}

export function get(host, path) {
  const connection = new Connection(host, undefined);
  try {
    connection.request('GET', path, undefined, [['Accept', new TextEncoder().encode('text/plain')]]);
    const response = connection.getresponse();
    const decoder = new TextDecoder();
    let text = `${response.status()} ${response.reason()}\n`;
    for (const piece of pieces(response)) text += decoder.decode(piece, { stream: true });
    response[Symbol.dispose]();
    return text + decoder.decode();
  } catch (error) {
    throw `${error.payload.kind}: ${error.payload.message}`;
  } finally {
    connection[Symbol.dispose]();
  }
}

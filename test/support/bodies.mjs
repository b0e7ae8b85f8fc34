// SPDX-License-Identifier: MIT
//
// Bodies taken by hand, as whoever sends them takes them.

import { describeBody } from '../../js/request/body.js';

export { describeBody };

/** All pieces of a described body, as ISO-8859-1. @returns {Promise<string[]>} */
export async function piecesOf(body) {
  await body.prepare?.();
  const source = body.open();
  const pieces = [];
  for (;;) {
    const piece = await source.next();
    if (piece === null) return pieces;
    if (piece.length > 0) pieces.push(piece.toString('latin1'));
  }
}

/** What a value is as a body: its kind's numbers, and all of it. */
export async function whole(value, blocksize = 16384) {
  const body = describeBody(value, blocksize);
  const content = (await piecesOf(body)).join('');
  body.discard();
  return { kind: body.kind, size: body.size, content };
}

/** Runs `run` and gives the unhandled rejections that came of it, until the event loop has turned some times. */
export async function unhandledOf(run) {
  const seen = [];
  const note = (error) => seen.push(error);
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  try {
    await run();
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  } finally {
    process.off('unhandledRejection', note);
    process.off('uncaughtException', note);
  }
  return seen;
}

// SPDX-License-Identifier: MIT

/** Reads until there is nothing more. @param {() => Promise<Buffer>} next a read @returns {Promise<Buffer>} all of it */
export async function gather(next) {
  const pieces = [];
  for (;;) {
    const piece = await next();
    if (piece.length === 0) return Buffer.concat(pieces);
    pieces.push(piece);
  }
}

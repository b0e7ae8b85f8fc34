// SPDX-License-Identifier: MIT
//
// What set_debuglevel prints: the lines that Python prints, with Python's way of writing strings and bytes.

const escapes = { __proto__: null, '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function hex(code) {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}

function quoted(text, isPrintable) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const character of text) {
    const code = character.charCodeAt(0);
    if (escapes[character] !== undefined) out += escapes[character];
    else if (character === quote) out += `\\${quote}`;
    else out += isPrintable(code) ? character : hex(code);
  }
  return out + quote;
}

/** @param {string} text ISO-8859-1 @returns {string} Python's repr of a str */
export function reprText(text) {
  return quoted(text, (code) => code >= 0x20 && !(code >= 0x7f && code <= 0xa0) && code !== 0xad);
}

/** @param {Uint8Array} bytes @returns {string} Python's repr of bytes */
export function reprBytes(bytes) {
  return `b${quoted(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).latin1Slice(), (code) => code >= 0x20 && code < 0x7f)}`;
}

/** Prints a line to stdout. @param {string} line */
export function print(line) {
  process.stdout.write(`${line}\n`);
}

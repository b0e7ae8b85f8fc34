// SPDX-License-Identifier: MIT
//
// Writes the responses of test/data/hostile.json as a C array: `node cases.mjs <file>`.

import { readFileSync, writeFileSync } from 'node:fs';

const hostile = JSON.parse(readFileSync(new URL('../data/hostile.json', import.meta.url), 'utf8'));
const LINE = 400; // bytes of a literal

/** A string of ISO-8859-1 as C literals. */
function literal(text) {
  const octal = (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`;
  const parts = text.match(new RegExp(`[\\s\\S]{1,${LINE}}`, 'g')) ?? [''];
  return parts.map((part) => `"${part.replace(/[^ !#-;=>@-[\]-~]/g, octal)}"`).join('\n');
}

function row({ id, request, bytes: pieces, close, expect }) {
  const bytes = [pieces].flat().join('');
  const headers = (expect.headers ?? []).map(([name, value]) => `${name}: ${value}\n`).join('');
  const members = {
    id: literal(id),
    method: literal(request?.method ?? 'GET'),
    bytes: literal(bytes),
    length: bytes.length,
    closes: close === true,
    error: expect.error === null ? 'NULL' : literal(expect.error),
    at_body: expect.at === 'body',
    lenient: expect.alt_errors !== undefined,
    status: expect.status ?? 0,
    version: expect.version ?? 0,
    will_close: expect.will_close === true,
    reason: literal(expect.reason ?? ''),
    headers: literal(headers),
    body: literal(expect.body ?? ''),
    body_length: (expect.body ?? '').length,
  };
  return `{${Object.entries(members).map(([name, value]) => `.${name} = ${value}`).join(', ')}},`;
}

const rows = hostile.filter(({ kind }) => kind === 'response').map(row);
writeFileSync(process.argv[2], `static const hostile_case hostile_cases[] = {\n${rows.join('\n')}\n};\n`);

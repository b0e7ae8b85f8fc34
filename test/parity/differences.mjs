// SPDX-License-Identifier: MIT
//
// Where porthole differs from CPython on purpose: the one place. Each has to be met by at least one case.

const errors = ({ results }) => results.map((result) => result?.error).filter(Boolean);
const failed = (run) => errors(run).length > 0;
const calls = ({ calls: list }, name) => list.filter(([called]) => called === name);
const headersOf = (testCase) => [
  ...calls(testCase, 'request').flatMap(([, , , , headers]) => headers),
  ...calls(testCase, 'putheader').map(([, name, [value]]) => [name, value]),
];

/**
 * @typedef {object} Difference
 * @property {string} name
 * @property {string} why
 * @property {(testCase: object, python: object, ours: object) => boolean} applies
 */

/** @type {Difference[]} */
export const differences = [
  {
    name: 'a method is a token of RFC 9110',
    why: 'CPython lets a space or nothing pass: request-line injection',
    applies: ({ calls: [[, method]] }, _python, ours) => /[^\w!#$%&'*+.^`|~-]|^$/.test(method) && errors(ours)[0] === 'TypeError',
  },
  {
    name: 'a header name is a token, and a value holds no control character',
    why: 'CPython lets "X Y" and NUL pass',
    applies: (testCase, _python, ours) =>
      headersOf(testCase).some(([name, value]) => /[ :]|^$/.test(name) || /[\0\r\n]/.test(value?.bytes ?? String(value))) &&
      errors(ours)[0] === 'TypeError',
  },
  {
    name: 'a body that contradicts its Content-Length is refused or cut off',
    why: 'CPython sends it: request smuggling by oneself',
    applies: (testCase, _python, ours) =>
      headersOf(testCase).some(([name]) => /^content-length$/i.test(name)) && /^(TypeError|HTTPException)$/.test(errors(ours)[0]),
  },
  {
    name: 'a Transfer-Encoding ends with chunked',
    why: 'RFC 9112 section 6.1; CPython sends any',
    applies: (testCase, _python, ours) =>
      headersOf(testCase).some(([name, value]) => /^transfer-encoding$/i.test(name) && value !== 'chunked') && errors(ours)[0] === 'TypeError',
  },
  {
    name: 'a body cut short is an error from every way to read',
    why: 'CPython raises it from read() only',
    applies: (_testCase, _python, ours) => errors(ours).includes('IncompleteRead'),
  },
  {
    name: 'a head that is cut off is no head',
    why: 'CPython takes it for complete',
    applies: ({ response }, _python, ours) => !/\r?\n\r?\n/.test(response.replace(/^HTTP\/1.1 100 Continue\r\n\r\n/, '')) && failed(ours),
  },
  {
    name: 'a response is closed once its body has been read to its end',
    why: 'the documentation\'s loop `while not r.closed` ends; CPython notices only at the next read',
    applies: (testCase, python, ours) =>
      calls(testCase, 'isclosed').length > 0 && python.sent === ours.sent && same(withoutClosed(testCase, python), withoutClosed(testCase, ours)),
  },
  {
    name: 'read1 gives all that is at hand, over chunks',
    why: 'it is "what is at hand"; CPython stops at a chunk\'s end and at its own buffer\'s',
    applies: (testCase, python, ours) => calls(testCase, 'read1').length > 0 && python.sent === ours.sent && !failed(ours),
  },
  {
    name: 'HTTP/1.0 with chunks closes, and no body of 204 or 304 is looked for',
    why: 'RFC 9112 sections 6.1 and 6.3',
    applies: ({ response }, python, ours) =>
      /Transfer-Encoding: chunked/.test(response) && /^HTTP\/1.0|HTTP\/1.\d (204|304)/m.test(response) && python.sent === ours.sent,
  },
  {
    name: 'all lines of Connection count, and close wins over any keep-alive',
    why: 'RFC 9112 section 9.3; CPython looks at the first line only, and in HTTP/1.0 at Keep-Alive before',
    applies: ({ response }, python, ours) =>
      /^Connection: close/m.test(response) && /keep-alive/i.test(response) && python.sent === ours.sent && same(withoutClose(python), withoutClose(ours)),
  },
  {
    name: 'readline(limit) never gives more than limit bytes',
    why: 'CPython 3.11 does when the body is chunked and its buffer happens to hold more',
    applies: (testCase, python, ours) =>
      calls(testCase, 'readline').some(([, limit]) => limit !== undefined) &&
      /Transfer-Encoding: chunked/.test(testCase.response) &&
      python.sent === ours.sent &&
      textOf(python) === textOf(ours),
  },
  {
    name: 'a file or iterable that cannot be measured is named otherwise in debug output',
    why: "Python prints its own repr of the object",
    applies: (testCase, python, ours) => testCase.debug > 0 && python.sent === ours.sent && same(python.results, ours.results),
  },
];

/**
 * What CPython gives, in our terms: a refused argument is a TypeError whatever Python calls it, and white space behind a
 * received value is dropped (RFC 9110 section 5.5).
 */
export function translate({ sent, results, printed }) {
  const translated = results.map((result) => {
    if (/^(ValueError|UnicodeEncodeError)$/.test(result?.error)) return { ...result, error: 'TypeError' };
    if (!result?.headers) return result;
    return { ...result, headers: result.headers.map(([name, value]) => [name, value.trimEnd()]), joined: result.joined.replace(/[ \t]+(,|$)/g, '$1') };
  });
  return { sent, results: translated, printed: printed.replace(/[ \t]+$/gm, '') };
}

/** All that was read, whatever the pieces. */
function textOf({ results }) {
  return results.flat().filter((result) => typeof result === 'string').join('');
}

function withoutClose({ results, printed }) {
  const others = results.filter((result) => typeof result !== 'boolean'); // isclosed differs as well, see above
  return [others.map((result) => (result?.headers ? { ...result, will_close: null } : result)), printed.replace(/^Unable.*\n/, '')];
}

function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

function withoutClosed({ calls: list }, { results }) {
  return results.filter((_, index) => list[index]?.[0] !== 'isclosed');
}

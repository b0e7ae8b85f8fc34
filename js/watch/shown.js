// SPDX-License-Identifier: MIT
//
// What console.log shows of an object: its state in short, whatever the depth, and nothing that may be a secret.

/** The name under which Node, Deno and Bun look for it. */
export const SHOWN = Symbol.for('nodejs.util.inspect.custom');

/**
 * @param {object} value
 * @param {() => object} state what is shown of it; throws where it has none, as the prototype of its class
 * @param {number} depth below 0 when no members are wanted
 * @param {object} options of util.inspect
 * @param {((value: unknown, options: object) => string) | undefined} inspect
 * @returns {string}
 */
export function shown(value, state, depth, options, inspect) {
  const name = value.constructor?.name || 'Object';
  if (depth < 0 || inspect === undefined) return `[${name}]`;
  let members;
  try {
    members = state();
  } catch {
    return `[${name}]`;
  }
  return `${name} ${inspect(members, options)}`;
}

// SPDX-License-Identifier: MIT

/**
 * Counts the calls into WASI of the modules that are instantiated from now on.
 *
 * @returns {Record<string, number>} how often each function was called, which goes on changing
 */
export function countCalls() {
  const counted = {};
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = (module, imports = {}) => {
    const wrapped = Object.entries(imports).map(([space, members]) => {
      if (!space.startsWith('wasi:')) return [space, members];
      const functions = Object.entries(members).map(([name, call]) => {
        const all = `${space} ${name}`;
        return [name, (...values) => {
          counted[all] = (counted[all] ?? 0) + 1;
          return call(...values);
        }];
      });
      return [space, Object.fromEntries(functions)];
    });
    return instantiate.call(WebAssembly, module, Object.fromEntries(wrapped));
  };
  return counted;
}

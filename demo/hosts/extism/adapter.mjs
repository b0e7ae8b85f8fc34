// SPDX-License-Identifier: MIT
//
// porthole_host_v1 for plugins of Extism's JavaScript host: connections by the rules of porthole/host, instead of requests whose first
// URL alone is looked at.
//
//   import createPlugin from '@extism/extism';
//   import { createHost } from 'porthole/host';
//
//   const host = createHost({ allow: ['https://api.example.com'] });
//   const plugin = await withPorthole(createPlugin, 'plugin.wasm', host);
//   await plugin.call('get', 'https://api.example.com/');

/**
 * Makes a plugin that can use porthole.
 *
 * Extism's functions of a host are not told whose memory they work on, so the plugin runs in the thread that calls it (no
 * `runInWorker`), where its instance can be asked for. A call blocks that thread while the plugin waits, as a call of a plugin that
 * computes does: call it from a worker of your own where that matters.
 *
 * @param {typeof import('@extism/extism').default} createPlugin
 * @param {import('@extism/extism').ManifestLike} manifest
 * @param {{ imports: (memory: () => WebAssembly.Memory) => { porthole_host_v1: Record<string, Function> } }} host a host of
 *   porthole/host, or anything else that gives the imports
 * @param {import('@extism/extism').ExtismPluginOptions & { module?: string }} [options] of createPlugin; the name of the module that
 *   uses porthole, where a manifest has several
 * @returns {Promise<import('@extism/extism').Plugin>}
 */
export async function withPorthole(createPlugin, manifest, host, { module, functions, ...options } = {}) {
  if (options.runInWorker) throw new TypeError('a plugin that uses porthole runs in the thread that calls it');
  let memory;
  const { porthole_host_v1: imports } = host.imports(() => memory);
  // Extism puts its own context before the arguments.
  const connections = Object.fromEntries(
    Object.entries(imports).map(([name, call]) => [name, (_context, ...numbers) => call(...numbers)]),
  );
  const plugin = await createPlugin(manifest, {
    ...options,
    functions: { ...functions, porthole_host_v1: connections },
    runInWorker: false,
  });
  ({ memory } = (await plugin.getInstance(module ?? '0')).exports);
  return plugin;
}

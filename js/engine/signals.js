// SPDX-License-Identifier: MIT
//
// AbortSignals, polyfills included: anything with `aborted` that tells of "abort". Each is listened to once, however many
// connections wait on it, and by nobody while nobody waits.

/** @type {WeakMap<AbortSignal, {callbacks: Set<() => void>, listener: () => void}>} */
const heard = new WeakMap();

/** @param {AbortSignal[]} signals @returns {AbortSignal | undefined} the one that is aborted */
export function abortedOf(signals) {
  return signals.length === 0 ? undefined : signals.find(({ aborted }) => aborted);
}

/** The errors for signals that give no reason. @type {WeakMap<object, DOMException>} */
const reasons = new WeakMap();

/** @param {AbortSignal} signal that is aborted @returns {unknown} its reason, the same one each time */
export function reasonOf(signal) {
  if (signal.reason !== undefined && signal.reason !== null) return signal.reason;
  let reason = reasons.get(signal);
  if (reason === undefined) {
    reason = new DOMException('This operation was aborted', 'AbortError');
    reasons.set(signal, reason);
  }
  return reason;
}

/**
 * Calls a function when a signal is aborted.
 *
 * @param {AbortSignal} signal
 * @param {() => void} callback
 * @returns {() => void} ends that
 */
export function onAbort(signal, callback) {
  let entry = heard.get(signal);
  if (entry === undefined) {
    const callbacks = new Set();
    const listener = () => {
      for (const one of [...callbacks]) one();
    };
    entry = { callbacks, listener };
    heard.set(signal, entry);
    signal.addEventListener('abort', listener);
  }
  const { callbacks, listener } = entry;
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0 || heard.get(signal) !== entry) return;
    heard.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}

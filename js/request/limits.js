// SPDX-License-Identifier: MIT
//
// What a peer may make us keep: the limits of a connection, checked.

import { DEFAULT_LIMITS } from '../../bindings/generated/limits.js';
import { argumentError, kindOf } from '../errors.js';
import { checkMembers, checkNames, meant } from './options.js';

const LIMIT_MAX = 16 * 1024 * 1024; // of all but the body's: what fits into memory

/**
 * @param {unknown} limits see `limits` in the manual
 * @returns {Readonly<Record<string, number>>} all of them: the defaults where they don't say otherwise
 * @throws {TypeError} for a limit that there isn't, or a value that it can't have
 */
export function checkLimits(limits) {
  if (limits === null || limits === undefined || limits === DEFAULT_LIMITS) return DEFAULT_LIMITS;
  checkMembers('limits', limits);
  checkNames('limit', limits, DEFAULT_LIMITS, 'limits');
  const checked = { __proto__: null, ...DEFAULT_LIMITS };
  const given = meant(limits, DEFAULT_LIMITS);
  for (const name of Object.keys(DEFAULT_LIMITS)) {
    const value = given[name];
    if (value === undefined || value === null) continue;
    checked[name] = checkLimit(name, value);
  }
  return Object.freeze(checked);
}

function checkLimit(name, value) {
  if (typeof value !== 'number') {
    throw argumentError(`the limit "${name}" must be a number, not ${kindOf(value)}`, 'ERR_INVALID_ARG_TYPE');
  }
  const body = name === 'body';
  if (body && value === Number.POSITIVE_INFINITY) return value;
  if (!Number.isSafeInteger(value) || value < 0 || (!body && value > LIMIT_MAX)) {
    throw argumentError(
      `the limit "${name}" must be a whole number from 0${body ? '' : ` to ${LIMIT_MAX}`}, not ${value}`,
    );
  }
  return value;
}

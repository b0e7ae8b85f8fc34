// SPDX-License-Identifier: MIT
//
// HTTPMessage.

import type { HeadersLike } from './values.js';

/** A parameter in the encoding of RFC 2231. Each character of the value stands for one byte. */
export type EncodedParam = [charset: string | null, language: string | null, value: string];

/**
 * The fields of a head, or of a trailer section. Names compare without case; values are ISO-8859-1 strings with outer
 * spaces and tabs stripped. Iterating over it gives the names.
 */
export declare class HTTPMessage {
  /**
   * @param source headers as a request takes them; or name, value, name, value …, or a function that gives these and is
   *   called when they are needed
   */
  constructor(source?: HeadersLike | readonly string[] | (() => readonly string[]) | null);

  /** How many fields there are, repeats included. */
  readonly length: number;
  /**
   * The value of the first field of a name.
   *
   * @param failobj what to give when there is none; null by default
   */
  get<T = null>(name: string, failobj?: T): string | T;
  /** The values of all fields of a name. */
  get_all<T = null>(name: string, failobj?: T): string[] | T;
  has(name: string): boolean;
  /** The names, repeats included. */
  keys(): string[];
  values(): string[];
  items(): Array<[name: string, value: string]>;
  [Symbol.iterator](): IterableIterator<string>;
  /** The media type in lower case: `text/plain` when there is none or it isn't of the form `a/b`. */
  get_content_type(): string;
  get_content_maintype(): string;
  get_content_subtype(): string;
  /** The `charset` of Content-Type, in lower case. */
  get_content_charset<T = null>(failobj?: T): string | T;
  /**
   * One parameter of a header.
   *
   * @param failobj what to give when there is none; null by default
   * @param header `'content-type'` by default
   * @param unquote whether to take quotes off; true by default
   */
  get_param<T = null>(param: string, failobj?: T, header?: string, unquote?: boolean): string | EncodedParam | T;
  /** All parameters of a header, with what stands before the first `;` as `[it, '']`. */
  get_params<T = null>(
    failobj?: T,
    header?: string,
    unquote?: boolean,
  ): Array<[name: string, value: string | EncodedParam]> | T;
  /** The file name of Content-Disposition or Content-Type, decoded. */
  get_filename<T = null>(failobj?: T): string | T;
  /** A line `Name: value` for each field of a name. */
  getallmatchingheaders(name: string): string[];
  /** A line `Name: value` for each field, then an empty line, all ended by `\n`. */
  as_string(): string;
  toString(): string;
}

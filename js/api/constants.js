// SPDX-License-Identifier: MIT

/** The default port of HTTP. */
export const HTTP_PORT = 80;

/** The default port of HTTPS. */
export const HTTPS_PORT = 443;

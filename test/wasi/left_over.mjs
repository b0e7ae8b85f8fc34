// SPDX-License-Identifier: MIT
//
// Runs in the worker of preview2-shim: how many of its things there are.

export default (context) => () => context.resourceCounts();

// SPDX-License-Identifier: MIT
//
// Who may be reached: rules, names and addresses, without a connection.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressOf, blockOf, carried, oddlySpelt, specialPurpose } from '../../js/host/addresses.js';
import { destinationOf, Policy } from '../../js/host/policy.js';
import { REGISTRIES_DATE, SPECIAL_PURPOSE } from '../../js/host/registries.js';
import { destinations } from './destinations.mjs';

/** The verdict on a URL whose name has these addresses. */
function verdictOn(policy, url, addresses = ['93.184.216.34']) {
  const destination = destinationOf(url);
  if (destination.allowed === false) return destination;
  const { scheme, host, port } = destination;
  const verdict = policy.judge(scheme, host, port);
  if (!verdict.allowed || verdict.address !== null) return verdict;
  return policy.judgeAddresses(scheme, verdict, host, port, addresses);
}

const allows = (allow, url, addresses, deny) => verdictOn(new Policy(allow, deny), url, addresses).allowed;

describe('destinations.json', () => {
  const cases = destinations();

  test('is all there', () => assert.equal(cases.length, 40));

  for (const { input, expect, why, allow, url, addresses } of cases) {
    test(`${expect}: ${input} (${why})`, () => {
      const verdict = verdictOn(new Policy(allow), url, addresses);
      assert.equal(verdict.allowed ? 'allow' : 'deny', expect, verdict.reason);
    });
  }
});

describe('rules', () => {
  test('nothing is allowed without a rule, and the missing one is named', () => {
    const verdict = verdictOn(new Policy([]), 'https://api.example.com/v1');
    assert.deepEqual(verdict, {
      allowed: false,
      reason: 'no rule allows https://api.example.com:443',
      rule: 'https://api.example.com:443',
      address: null,
    });
    assert.equal(allows([verdict.rule], 'https://api.example.com/v1'), true);
  });

  test('a rule that allows is named, with the address', () => {
    assert.deepEqual(verdictOn(new Policy(['https://a.example']), 'https://a.example'), {
      allowed: true,
      reason: 'the rule https://a.example',
      rule: 'https://a.example',
      address: '93.184.216.34',
    });
  });

  test('a rule without a scheme holds for both, one without a port for the usual ones', () => {
    assert.equal(allows(['a.example'], 'http://a.example'), true);
    assert.equal(allows(['a.example'], 'https://a.example'), true);
    assert.equal(allows(['a.example'], 'http://a.example:443'), false);
    assert.equal(allows(['a.example:443'], 'http://a.example:443'), true);
    assert.equal(allows(['https://a.example'], 'http://a.example'), false);
    assert.equal(allows(['https://a.example'], 'https://a.example:8443'), false);
    assert.equal(allows(['https://a.example:*'], 'https://a.example:8443'), true);
  });

  test('a rule for what is below a domain means neither the domain nor one that ends like it', () => {
    assert.equal(allows(['*.example.com'], 'http://a.example.com'), true);
    assert.equal(allows(['*.example.com'], 'http://a.b.EXAMPLE.com'), true);
    assert.equal(allows(['*.example.com'], 'http://example.com'), false);
    assert.equal(allows(['*.example.com'], 'http://badexample.com'), false);
  });

  test('a name that has a private address needs a rule for the block as well', () => {
    const url = 'http://api.internal:8080';
    assert.equal(allows(['api.internal:8080'], url, ['10.1.2.3']), false);
    assert.equal(allows(['10.1.0.0/16:8080'], url, ['10.1.2.3']), false);
    assert.equal(allows(['api.internal:8080', '10.1.0.0/16:8080'], url, ['10.1.2.3']), true);
    assert.equal(allows(['api.internal:8080', '10.1.0.0/16:80'], url, ['10.1.2.3']), false);
    assert.equal(allows(['api.internal:8080', '10.1.0.0/16:8080'], url, ['10.1.2.3', '10.2.0.1']), false);
  });

  test('a block allows the addresses in it, written as such', () => {
    assert.equal(allows(['10.1.0.0/16:8080'], 'http://10.1.2.3:8080'), true);
    assert.equal(allows(['10.1.0.0/16:8080'], 'http://10.2.2.3:8080'), false);
    assert.equal(allows(['[fd00::/8]:8080'], 'http://[fd12::1]:8080'), true);
    assert.equal(allows(['93.184.216.0/24'], 'http://93.184.216.34'), true);
    assert.equal(allows(['93.184.216.0/24'], 'http://93.184.217.34'), false);
  });

  test('localhost needs its exact name and a block', () => {
    for (const rules of [['*:*', '127.0.0.0/8:*'], ['localhost:*'], ['*.localhost:*', '127.0.0.0/8:*']]) {
      assert.equal(allows(rules, 'http://localhost', ['127.0.0.1']), false, String(rules));
    }
    assert.equal(allows(['localhost', '127.0.0.0/8'], 'http://LOCALHOST', ['127.0.0.1']), true);
    assert.equal(allows(['*.localhost', '127.0.0.0/8'], 'http://a.localhost', ['127.0.0.1']), false);
  });

  test('a name with a dot at its end is another one', () => {
    assert.equal(allows(['a.example'], 'http://a.example.'), false);
    assert.equal(allows(['a.example.'], 'http://a.example.'), true);
    assert.equal(allows(['*.example'], 'http://a.example.'), false);
  });

  test('what is denied is denied however it is spelt', () => {
    assert.equal(allows(['*:*'], 'http://a.example', undefined, ['a.example:*']), false);
    assert.equal(allows(['*:*', 'a.example.'], 'http://A.example.', undefined, ['a.example']), false);
    assert.equal(allows(['*:*', 'a.example.'], 'http://a.example.', undefined, ['*.example']), false);
    assert.equal(allows(['*:*'], 'http://b.example', undefined, ['a.example:*']), true);
    assert.equal(allows(['*:*'], 'http://a.example', undefined, ['93.184.216.0/24:*']), false);
    assert.equal(allows(['[2002::/16]', '93.0.0.0/8'], 'http://[2002:5db8:d822::]', undefined, ['93.184.216.34']), false);
    assert.equal(allows(['a.example'], 'http://a.example', undefined, ['*']), false);
  });

  test('an address that carries another one needs a rule for each', () => {
    const url = 'http://[64:ff9b::10.0.0.1]';
    assert.equal(allows(['[64:ff9b::/96]'], url), false);
    assert.equal(allows(['10.0.0.0/8'], url), false);
    assert.equal(allows(['[64:ff9b::/96]', '10.0.0.0/8'], url), true);
    assert.equal(allows(['[64:ff9b::/96]'], 'http://[64:ff9b::8.8.8.8]'), true);
  });

  test('an address without a block of its own in the registries is refused unless it is global unicast', () => {
    assert.equal(allows(['*:*'], 'http://[2606:2800:220:1::1]'), true);
    assert.equal(allows(['*:*'], 'http://[4000::1]'), false);
    assert.equal(allows(['*:*'], 'http://[2001:1::2]'), true);
    assert.equal(allows(['*:*'], 'http://[2001:1::4]'), false);
    assert.equal(allows(['*:*'], 'http://192.0.0.9'), true);
  });

  test('names that are not ASCII are compared as DNS knows them', () => {
    assert.equal(allows(['bücher.example'], 'http://xn--bcher-kva.example'), true);
    assert.equal(allows(['xn--bcher-kva.example'], 'http://BÜCHER.example'), true);
  });

  test('a name that looks up to what is no address is refused', () => {
    for (const addresses of [[], ['x'], ['fe80::1%eth0'], ['127.1']]) assert.equal(allows(['*:*'], 'http://a.example', addresses), false);
  });

  for (const rule of ['', 'ftp://a.example', 'a.example:65536', 'a.example:', 'a b', '10.0.0.1/8', '::1', '127.1', 'a.*', '[10.0.0.1]', 'https://a@b', '*.', 'a..b', 'https://a.example/v1', 'a.example\\b', 'a%2eexample', 'a.exam\tple', 7]) {
    test(`${JSON.stringify(rule)} is no rule`, () => {
      const code = typeof rule === 'string' ? 'ERR_INVALID_ARG_VALUE' : 'ERR_INVALID_ARG_TYPE';
      assert.throws(() => new Policy([rule]), { name: 'TypeError', code });
      assert.throws(() => new Policy([], [rule]), { name: 'TypeError', code });
    });
  }

  test('a rule with a path, a block with more than its prefix, or IPv6 without brackets is refused with the reason', () => {
    assert.throws(() => new Policy(['https://a.example/v1']), { message: /connections are not judged by paths/ });
    assert.throws(() => new Policy(['10.0.0.1/8']), { message: /no bits behind its prefix/ });
    for (const rule of ['::1', 'fd00::/8', 'fe80::1']) assert.throws(() => new Policy([rule]), { message: /, as IPv6 stands in brackets:/ });
  });

  test('rules come as an array', () => {
    assert.throws(() => new Policy('*:*'), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: /allow must be an array/ });
  });
});

describe('addresses', () => {
  test('blocks of the registries can be read, and say when they were copied', () => {
    for (const [block] of SPECIAL_PURPOSE) assert.notEqual(blockOf(block), null, block);
    assert.match(REGISTRIES_DATE, /^20\d\d-\d\d-\d\d$/);
  });

  test('each first and last address of a block is in it, its neighbours are judged by another', () => {
    for (const [text, name] of SPECIAL_PURPOSE.filter(([, , global]) => !global)) {
      const block = blockOf(text);
      const bits = block.family === 4 ? 32 : 128;
      const last = block.number + (1n << BigInt(bits - block.length)) - 1n;
      for (const number of [block.number, last]) {
        assert.notEqual(specialPurpose({ family: block.family, number, text: '' }), null, `${text} ${name}`);
      }
    }
    assert.equal(specialPurpose(addressOf('11.0.0.0')), null);
    assert.equal(specialPurpose(addressOf('9.255.255.255')), null);
    assert.equal(specialPurpose(addressOf('172.32.0.0')), null);
    assert.equal(specialPurpose(addressOf('100.128.0.0')), null);
  });

  test('what the registries except from a wider block is for everybody, and nothing beside it', () => {
    const isGlobal = (text) => specialPurpose(addressOf(text)) === null;
    const excepted = [
      ...['192.0.0.9', '192.0.0.10', '192.31.196.1', '192.52.193.1', '192.175.48.1'],
      ...['2001:1::1', '2001:1::2', '2001:1::3', '2001:3::', '2001:3:ffff::', '2001:4:112::', '2001:20::', '2001:2f:ffff::', '2001:30::'],
      ...['2001:3f:ffff::', '2001:200::', '2620:4f:8000::', '3fff:1000::'],
    ];
    const beside = [
      ...['192.0.0.0', '192.0.0.8', '192.0.0.11', '192.0.0.170', '192.0.0.171', '192.0.0.255', '192.88.99.1', '192.88.99.2'],
      ...['2001::', '2001:1::', '2001:1::4', '2001:2::', '2001:2:1::', '2001:4:111::', '2001:4:113::', '2001:5::', '2001:10::', '2001:1f::'],
      ...['2001:40::', '2001:1ff:ffff::', '2001:db8::', '3fff::', '3fff:fff:ffff::', '5f00::', '5f00:ffff::', '100::', '100:0:0:1::'],
      ...['100:0:0:2::', '64:ff9b::', '64:ff9b:1::', '64:ff9b:2::', '4000::', '1fff::'],
    ];
    assert.deepEqual(excepted.filter((text) => !isGlobal(text)), []);
    assert.deepEqual(beside.filter(isGlobal), []);
  });

  test('what an address carries is found in each form', () => {
    for (const text of [
      '::10.0.0.1',
      '::ffff:10.0.0.1',
      '::ffff:0:10.0.0.1',
      '64:ff9b::10.0.0.1',
      '64:ff9b:1::10.0.0.1',
      '2002:a00:1::1',
      '2001:0:53aa:64c::f5ff:fffe',
    ]) {
      assert.equal(carried(addressOf(text))?.text, '10.0.0.1', text);
    }
    assert.equal(carried(addressOf('2606:2800::1')), null);
  });

  test('odd spellings are seen', () => {
    for (const [text, meant] of [
      ['127.1', '127.0.0.1'],
      ['0x7f.1', '127.0.0.1'],
      ['2130706433', '127.0.0.1'],
      ['0177.0.0.1', '127.0.0.1'],
      ['127.0.0.1.', '127.0.0.1'],
      ['1.2.3.4.5', '1.2.3.4.5'],
      ['a.0x', 'a.0x'],
      ['a.example', null],
      ['1.example', null],
    ]) {
      assert.equal(oddlySpelt(text), meant, text);
    }
  });
});

// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Policy is where a guest may go: the allow-list of demo/hosts/README.md.
//
// Nothing is allowed but by a rule. A name is resolved here, every address of it is judged, and the connection goes to one
// of those, so that a name that changes its mind between two look-ups gains nothing.
type Policy struct {
	allow, deny []rule
	limits      Limits
	known       map[string][]netip.Addr // as in /etc/hosts: for tests, and for names that no server knows
}

// Limits of a guest. Those of time are in seconds.
type Limits struct {
	Connections      int     `json:"connections"`
	TotalConnections int64   `json:"total_connections"`
	Lookups          int64   `json:"lookups"`
	BytesIn          int64   `json:"bytes_in"`
	BytesOut         int64   `json:"bytes_out"`
	Time             float64 `json:"time"`
	Timeout          float64 `json:"timeout"`
	Memory           int64   `json:"memory"`
}

// denied says that the policy refuses: its words name the rule that is missing, or that forbids.
type denied string

func (words denied) Error() string { return string(words) }

// noAddress says that nobody has a name, or that it has no address of the family that was asked for.
type noAddress string

func (words noAddress) Error() string { return string(words) }

const (
	anyPort    = -1
	schemePort = -2 // 80 for http, 443 for https
)

// rule is [scheme://]host[:port]: a name, *.name, *, an address or a block of addresses.
type rule struct {
	text    string
	schemes []string
	port    int // or anyPort, or schemePort
	host    string
	block   netip.Prefix
}

// verdict is what was decided: addresses to try, and by which rule bytes may go in clear or by TLS.
type verdict struct {
	addresses []netip.Addr
	rules     map[string]string
}

//go:embed special.json
var specialJSON []byte

type specialBlock struct {
	block  netip.Prefix
	name   string
	global bool // after all
}

var (
	special     = readSpecial()
	schemePorts = map[string]int{"http": 80, "https": 443}
	namePattern = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]{0,62}(\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$`)
	number      = regexp.MustCompile(`^(\d+|0x[0-9a-f]*)$`)
	rulePattern = regexp.MustCompile(
		`^(?:(https?)://)?(\*|(?:\*\.)?[A-Za-z0-9_.-]+(?:/\d+)?|\[[0-9A-Fa-f:.]+(?:/\d+)?\])(?::(\d{1,5}|\*))?$`)
)

func readSpecial() []specialBlock {
	var file struct{ Blocks [][3]any }
	if err := json.Unmarshal(specialJSON, &file); err != nil {
		panic(err)
	}
	var list []specialBlock
	for _, entry := range file.Blocks {
		list = append(list, specialBlock{netip.MustParsePrefix(entry[0].(string)), entry[1].(string), entry[2].(bool)})
	}
	slices.SortStableFunc(list, func(one, other specialBlock) int { return other.block.Bits() - one.block.Bits() })
	return list
}

// specialName tells why an address is not one of the public internet; it is empty for one that is. The longest block that
// holds it decides, and IPv6 outside of every block is nobody's.
func specialName(address netip.Addr) string {
	for _, entry := range special {
		if entry.block.Contains(address) {
			if entry.global {
				return ""
			}
			return entry.name
		}
	}
	if address.Is4() {
		return ""
	}
	return "not given out"
}

func lastLabel(host string) string { return host[strings.LastIndex(host, ".")+1:] }

func parseRule(text string) (rule, error) {
	match := rulePattern.FindStringSubmatch(text)
	if match == nil {
		return rule{}, fmt.Errorf("no rule: %s", text)
	}
	scheme, host, port := match[1], match[2], match[3]
	made := rule{text: text, schemes: []string{"http", "https"}, host: strings.ToLower(host)}
	if scheme != "" {
		made.schemes = []string{scheme}
	}
	switch port {
	case "":
		made.port = schemePort
	case "*":
		made.port = anyPort
	default:
		made.port, _ = strconv.Atoi(port)
	}
	if !strings.Contains(host, "/") && !strings.HasPrefix(host, "[") && !number.MatchString(lastLabel(made.host)) {
		return made, nil
	}
	literal := strings.Trim(host, "[]")
	var err error
	if strings.Contains(literal, "/") {
		made.block, err = netip.ParsePrefix(literal)
	} else {
		var address netip.Addr
		address, err = netip.ParseAddr(literal)
		made.block = netip.PrefixFrom(address, address.BitLen())
	}
	if err == nil && made.block != made.block.Masked() {
		err = fmt.Errorf("%s has host bits set", literal)
	}
	return made, err
}

func parseRules(texts []string) ([]rule, error) {
	var rules []rule
	for _, text := range texts {
		one, err := parseRule(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, one)
	}
	return rules, nil
}

// LoadPolicy reads a file of rules.
func LoadPolicy(path string) (*Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file := struct {
		Allow  []string                `json:"allow"`
		Deny   []string                `json:"deny"`
		Limits Limits                  `json:"limits"`
		Names  map[string][]netip.Addr `json:"names"`
	}{Limits: Limits{16, 1000, 1000, 1 << 30, 1 << 30, 300, 60, 64 << 20}}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	policy := &Policy{limits: file.Limits, known: file.Names}
	if policy.allow, err = parseRules(file.Allow); err == nil {
		policy.deny, err = parseRules(file.Deny)
	}
	return policy, err
}

func (one rule) covers(scheme string, port int) bool {
	if !slices.Contains(one.schemes, scheme) {
		return false
	}
	return one.port == anyPort || one.port == port || (one.port == schemePort && port == schemePorts[scheme])
}

// names tells whether a rule names a name. What has a meaning of its own is named by the whole of it only.
func (one rule) names(name string) bool {
	if one.block.IsValid() {
		return false
	}
	if strings.HasSuffix(name, ".") || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return one.host == name
	}
	return one.host == "*" || one.host == name || (strings.HasPrefix(one.host, "*.") && strings.HasSuffix(name, one.host[1:]))
}

// Contains knows nothing of a block that isn't valid.
func (one rule) holds(address netip.Addr) bool { return one.block.Contains(address) }

// judge decides about a connection, before anything is sent to anybody. Family is 4, 6 or 0 for both.
func (policy *Policy) judge(ctx context.Context, host string, port int, schemes []string, family int, onLookup func() error) (verdict, error) {
	host = strings.ToLower(host)
	literal, err := readLiteral(host)
	if err != nil {
		return verdict{}, err
	}
	found := []netip.Addr{literal}
	resolved := literal.IsValid()
	judged := verdict{rules: map[string]string{}}
	var reason error
	for _, scheme := range schemes {
		by, err := policy.byHost(host, literal, scheme, port)
		if err == nil && !resolved {
			if err := onLookup(); err != nil {
				return verdict{}, err
			}
			if found, err = policy.resolve(ctx, host); err != nil {
				return verdict{}, err
			}
			resolved = true
		}
		for _, address := range found {
			if err == nil && !literal.IsValid() {
				err = policy.byAddress(host, address, scheme, port)
			}
		}
		if err == nil {
			judged.rules[scheme] = by
		} else if reason == nil {
			reason = err
		}
	}
	if len(judged.rules) == 0 {
		return verdict{}, reason
	}
	for _, address := range found {
		if family == 0 || (family == 4) == address.Is4() {
			judged.addresses = append(judged.addresses, address)
		}
	}
	if len(judged.addresses) == 0 {
		return verdict{}, noAddress(host + " has no address of that family")
	}
	return judged, nil
}

// readLiteral reads an address; it is not valid for a name. What is neither, or an address in odd spelling, is denied.
func readLiteral(host string) (netip.Addr, error) {
	short := host[:min(len(host), 60)]
	if (strings.Contains(host, ":") && !strings.Contains(host, "%")) || number.MatchString(lastLabel(strings.TrimSuffix(host, "."))) {
		address, err := netip.ParseAddr(host)
		if err != nil {
			return address, denied(fmt.Sprintf("%+q is no address as it is written", short))
		}
		return address, nil
	}
	if len(host) > 254 || !namePattern.MatchString(host) {
		return netip.Addr{}, denied(fmt.Sprintf("%+q is no name", short))
	}
	return netip.Addr{}, nil
}

// byHost finds the rule that allows a name or a literal address.
func (policy *Policy) byHost(host string, literal netip.Addr, scheme string, port int) (string, error) {
	matches := func(one rule) bool {
		if literal.IsValid() {
			return one.holds(literal)
		}
		return one.names(host)
	}
	why := ""
	if literal.IsValid() {
		host, why = literal.String(), specialName(literal)
	}
	where := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
	for _, one := range policy.deny {
		if one.covers(scheme, port) && (one.host == "*" || matches(one)) {
			return "", denied(where + " is denied by " + one.text)
		}
	}
	for _, one := range policy.allow {
		if one.covers(scheme, port) && (matches(one) || (literal.IsValid() && one.host == "*" && why == "")) {
			return one.text, nil
		}
	}
	if why != "" {
		why = " (" + why + ")"
	}
	return "", denied("no rule allows " + where + why)
}

// byAddress judges one address of a name: what isn't public needs a block of its own.
func (policy *Policy) byAddress(name string, address netip.Addr, scheme string, port int) error {
	holds := func(one rule) bool { return one.covers(scheme, port) && one.holds(address) }
	if at := slices.IndexFunc(policy.deny, holds); at >= 0 {
		return denied(fmt.Sprintf("%s is at %s, which is denied by %s", name, address, policy.deny[at].text))
	}
	if why := specialName(address); why != "" && !slices.ContainsFunc(policy.allow, holds) {
		where := net.JoinHostPort(address.String(), strconv.Itoa(port))
		return denied(fmt.Sprintf("%s is at %s (%s): no rule allows %s://%s", name, address, why, scheme, where))
	}
	return nil
}

func (policy *Policy) resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	if known, ok := policy.known[name]; ok {
		return known, nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, noAddress(err.Error())
	}
	for index := range found {
		found[index] = found[index].Unmap().WithZone("")
	}
	return found, nil
}

// Explanation is what would become of a connection.
type Explanation struct {
	Allowed bool    `json:"allowed"`
	Reason  string  `json:"reason"`
	Rule    *string `json:"rule"`
	Address *string `json:"address"`
}

// Explain tells what would become of a connection for a URL, without making one.
func (policy *Policy) Explain(ctx context.Context, text string) Explanation {
	judged, scheme, err := policy.judgeURL(ctx, text)
	if err != nil {
		return Explanation{Reason: err.Error()}
	}
	rule, address := judged.rules[scheme], judged.addresses[0].String()
	return Explanation{true, "allowed by " + rule, &rule, &address}
}

func (policy *Policy) judgeURL(ctx context.Context, text string) (verdict, string, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return verdict{}, "", err
	}
	port, known := schemePorts[parsed.Scheme]
	if !known || parsed.User != nil || parsed.Hostname() == "" {
		return verdict{}, "", denied("only http:// and https:// URLs without user information can be allowed")
	}
	if parsed.Port() != "" {
		if port, err = strconv.Atoi(parsed.Port()); err != nil || port > 65535 {
			return verdict{}, "", errors.New("a port is a number up to 65535")
		}
	}
	judged, err := policy.judge(ctx, parsed.Hostname(), port, []string{parsed.Scheme}, 0, func() error { return nil })
	return judged, parsed.Scheme, err
}

package jsonmap

import "strings"

// The bounds of PostgreSQL's numeric (its manual, section 8.1.2, and the limit that
// numeric_in sets on a written exponent).
const (
	maxIntegerDigits  = 131072
	maxFractionDigits = 16383
	maxExponent       = 1<<30 - 2
)

// decimal is a JSON number taken apart: [-] whole [. fraction] [e exponent].
type decimal struct {
	negative        bool
	whole, fraction string
	exponent        int
}

// parseNumber reads a number by the grammar of RFC 8259. A non-empty reason says what
// is wrong with it.
func parseNumber(text string) (d decimal, reason string) {
	rest, negative := strings.CutPrefix(text, "-")
	d.negative = negative
	d.whole, rest = digits(rest)
	if d.whole == "" || len(d.whole) > 1 && d.whole[0] == '0' {
		return d, "not a number"
	}
	if after, ok := strings.CutPrefix(rest, "."); ok {
		if d.fraction, rest = digits(after); d.fraction == "" {
			return d, "not a number"
		}
	}
	if rest == "" {
		return d, d.limits()
	}
	if rest[0] != 'e' && rest[0] != 'E' {
		return d, "not a number"
	}
	if d.exponent, reason = parseExponent(rest[1:]); reason != "" {
		return d, reason
	}
	return d, d.limits()
}

func parseExponent(text string) (exponent int, reason string) {
	sign := 1
	if text != "" && (text[0] == '+' || text[0] == '-') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	figures, rest := digits(text)
	if figures == "" || rest != "" {
		return 0, "not a number"
	}
	for i := range len(figures) {
		exponent = exponent*10 + int(figures[i]-'0')
		if exponent > maxExponent {
			return 0, "exponent out of range"
		}
	}
	return sign * exponent, ""
}

func digits(text string) (figures, rest string) {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n], text[n:]
}

func (d decimal) limits() (reason string) {
	if d.integerDigits() > maxIntegerDigits {
		return "more than 131072 digits before the decimal point"
	}
	if d.fractionDigits() > maxFractionDigits {
		return "more than 16383 digits after the decimal point"
	}
	return ""
}

// integerDigits counts the digits before the decimal point once the exponent is
// applied, zero and less where the number is below one.
func (d decimal) integerDigits() int {
	if d.whole != "0" {
		return len(d.whole) + d.exponent
	}
	significant := strings.TrimLeft(d.fraction, "0")
	if significant == "" {
		return 0
	}
	return len(significant) - len(d.fraction) + d.exponent
}

// fractionDigits counts those after it. Trailing zeros count: numeric keeps them.
func (d decimal) fractionDigits() int { return max(0, len(d.fraction)-d.exponent) }

func (d decimal) isZero() bool { return d.whole == "0" && strings.Trim(d.fraction, "0") == "" }

// storedSize is the length of the text that numeric prints: without an exponent.
func (d decimal) storedSize() int {
	size := max(1, d.integerDigits())
	if n := d.fractionDigits(); n > 0 {
		size += 1 + n
	}
	if d.negative && !d.isZero() {
		size++
	}
	return size
}

package condition

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"go.example/saga/pkg/jsonmap"
)

// ErrInexact: a condition is not decided, because a number of it has no exact value
// that can be held.
var ErrInexact = errors.New("cannot be decided exactly")

// MaxDigits bounds a number before and after its decimal point, so that a short text
// such as 1e1000000000 takes no memory.
const MaxDigits = 1000

// maxBits bounds what is computed, numerator and denominator alike. It leaves room for
// all digits of a number.
const maxBits = 8 * MaxDigits

// number is one of the data, of the expression's text, or a result. It keeps the text
// that it came with, and is read when something is to be computed with it. (No pointer:
// the language follows those.)
type number struct {
	text  string
	value *big.Rat
}

func inexact(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInexact}, args...)...)
}

// exact reads the number.
func (n number) exact() (*big.Rat, error) {
	if n.value != nil {
		return n.value, nil
	}
	mantissa, power, _ := strings.Cut(strings.ToLower(n.text), "e")
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil {
			return nil, tooLong()
		}
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	if len(whole)+exponent > MaxDigits || len(fraction)-exponent > MaxDigits || len(mantissa) > 2*MaxDigits {
		if strings.Trim(whole+fraction, "0") != "" {
			return nil, tooLong()
		}
		return new(big.Rat), nil // zero, however it is written
	}
	value, ok := new(big.Rat).SetString(n.text)
	if !ok {
		return nil, errors.New("not a number")
	}
	return value, nil
}

// tooLong does not say the number: it may be of the data, which are nobody's but theirs.
func tooLong() error {
	return inexact("a number has more than %d digits before or after its decimal point", MaxDigits)
}

// result is a value that was computed.
func result(value *big.Rat) (any, error) {
	if value.Num().BitLen() > maxBits || value.Denom().BitLen() > maxBits {
		return nil, inexact("a result is too long: more than %d bits", maxBits)
	}
	return number{value: value}, nil
}

// written is the number as text: as it came, or exactly.
func (n number) written() string {
	if n.text != "" {
		return n.text
	}
	if digits, finite := n.value.FloatPrec(); finite {
		return n.value.FloatString(digits)
	}
	return n.value.RatString()
}

// rational is the exact value of what is a number.
func rational(v any) (value *big.Rat, isNumber bool, err error) {
	switch v := v.(type) {
	case number:
		value, err = v.exact()
		return value, true, err
	case int: // a length, a place, a whole number of the expression
		return new(big.Rat).SetInt64(int64(v)), true, nil
	}
	return nil, false, nil
}

// rationals are the exact values of two operands that both are numbers.
func rationals(a, b any) (x, y *big.Rat, both bool, err error) {
	x, isX, errX := rational(a)
	y, isY, errY := rational(b)
	if !isX || !isY {
		return nil, nil, false, nil
	}
	return x, y, true, errors.Join(errX, errY)
}

var operations = map[string]func(z, x, y *big.Rat) (*big.Rat, error){
	"+": func(z, x, y *big.Rat) (*big.Rat, error) { return z.Add(x, y), nil },
	"-": func(z, x, y *big.Rat) (*big.Rat, error) { return z.Sub(x, y), nil },
	"*": func(z, x, y *big.Rat) (*big.Rat, error) { return z.Mul(x, y), nil },
	"/": func(z, x, y *big.Rat) (*big.Rat, error) {
		if y.Sign() == 0 {
			return nil, errors.New("division by zero")
		}
		return z.Quo(x, y), nil
	},
	"%":  remainder,
	"**": power,
	"^":  power,
}

// remainder is what is left of x where y has been taken as often as it fits, with the
// sign of x.
func remainder(z, x, y *big.Rat) (*big.Rat, error) {
	if y.Sign() == 0 {
		return nil, errors.New("division by zero")
	}
	z.Quo(x, y)
	times := new(big.Rat).SetInt(new(big.Int).Quo(z.Num(), z.Denom()))
	return z.Sub(x, times.Mul(times, y)), nil
}

func power(z, x, y *big.Rat) (*big.Rat, error) {
	if !y.IsInt() {
		return nil, inexact("a power that is not whole")
	}
	base, times := x, new(big.Int).Abs(y.Num())
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			return nil, errors.New("division by zero")
		}
		base = new(big.Rat).Inv(x)
	}
	one := new(big.Int).SetInt64(1)
	if bits := max(base.Num().BitLen(), base.Denom().BitLen()); bits > 1 { // not 0, 1 or -1
		if !times.IsInt64() || times.Int64() > maxBits || int64(bits-1)*times.Int64() > maxBits {
			return nil, inexact("a result is too long: more than %d bits", maxBits)
		}
	} else {
		times = new(big.Int).And(times, one) // they only change their sign
		if y.Sign() != 0 && times.Sign() == 0 {
			times.SetInt64(2)
		}
	}
	num := new(big.Int).Exp(base.Num(), times, nil)
	return z.SetFrac(num, new(big.Int).Exp(base.Denom(), times, nil)), nil
}

// numbered is a JSON value with its numbers as the language computes with them.
func numbered(value any) any {
	switch v := value.(type) {
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			object[name] = numbered(member)
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = numbered(element)
		}
		return list
	case json.Number:
		return number{text: string(v)}
	case nil, bool, string:
		return value
	}
	// Made in Go: what it will be when it has been stored.
	text, err := jsonmap.JSONMap{"": value}.MarshalJSON()
	if err != nil {
		return value
	}
	stored, err := jsonmap.Parse(text)
	if err != nil {
		return value
	}
	return numbered(stored[""])
}

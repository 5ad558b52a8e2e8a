package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
)

// dice is a stream of chance of its own, so that what one card draws never moves another.
type dice struct{ *rand.Rand }

// dice makes the stream of a label. Equal seeds and labels give equal streams.
func (w *World) dice(label ...any) dice {
	sum := sha256.Sum256(fmt.Append(nil, w.config.Seed, label))
	return dice{rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))}
}

// chance is true n times of m.
func (d dice) chance(n, m int) bool { return d.IntN(m) < n }

// between draws from both ends included.
func (d dice) between(from, to int64) int64 {
	if to <= from {
		return from
	}
	return from + d.Int64N(to-from+1)
}

func (d dice) moment(from, to instant) instant { return instant(d.between(int64(from), int64(to))) }

// one draws one of a list.
func one[T any](d dice, list ...T) T { return list[d.IntN(len(list))] }

const (
	digits = "0123456789"
	hex    = digits + "abcdef"
	base62 = digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func (d dice) code(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[d.IntN(len(alphabet))]
	}
	return string(b)
}

func (d dice) uuid() string {
	h := d.code(hex, 32)
	return strings.Join([]string{h[:8], h[8:12], "4" + h[13:16], "a" + h[17:20], h[20:]}, "-")
}

// luhn is a card number that passes the Luhn test.
func (d dice) luhn() string {
	number := "4" + d.code(digits, 14)
	sum := 0
	for i := range len(number) {
		n := int(number[len(number)-1-i] - '0')
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return number + string(digits[(10-sum%10)%10])
}

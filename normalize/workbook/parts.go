package workbook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
)

// meter refuses to read more than is left; -1: it reads on.
type meter struct {
	from io.ReaderAt
	left int64
}

func (m *meter) ReadAt(p []byte, at int64) (int, error) {
	if m.left >= 0 {
		if m.left -= int64(len(p)); m.left < 0 {
			m.left = 0
			return 0, errors.New("its list of parts is too long")
		}
	}
	return m.from.ReadAt(p, at)
}

// maxDepth is how deep elements may stand in one another: worksheets need fewer than ten.
const maxDepth = 64

// tokens yields the elements and texts of a part. Texts are only valid until the next one.
func (b *Book) tokens(part string) iter.Seq2[xml.Token, error] {
	return func(yield func(xml.Token, error) bool) {
		if err := b.decode(part, yield); err != nil {
			yield(nil, fmt.Errorf("part %s: %w", part, err))
		}
	}
}

func (b *Book) decode(part string, yield func(xml.Token, error) bool) error {
	file := b.parts[part]
	if file == nil {
		return errors.New("it is missing")
	}
	if file.UncompressedSize64 > uint64(b.limits.Part) {
		return fmt.Errorf("it is larger than %d bytes", b.limits.Part)
	}
	content, err := file.Open() // which gives no more bytes than file says
	if err != nil {
		return err
	}
	defer content.Close()
	in := &bounded{from: content, most: b.limits.Element, total: &b.left}
	decoder := xml.NewDecoder(in)
	depth := 0
	for {
		in.left = in.most
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it breaks off or is malformed: %w", err)
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return fmt.Errorf("its elements stand more than %d deep", maxDepth)
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return errors.New("it declares a document type")
		}
		if !yield(token, nil) {
			return nil
		}
	}
}

// bounded is read from in the course of one token.
type bounded struct {
	from       io.Reader
	most, left int64
	total      *int64 // that may still be read in all
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("an element is larger than %d bytes", b.most)
	}
	if *b.total <= 0 {
		return 0, errors.New("the workbook is too large in all")
	}
	n, err := b.from.Read(p)
	b.left -= int64(n)
	*b.total -= int64(n)
	return n, err
}

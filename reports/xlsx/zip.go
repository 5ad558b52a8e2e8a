package xlsx

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/klauspost/compress/flate"
)

const (
	contentTypes = "[Content_Types].xml"
	styleSheet   = "xl/styles.xml"
)

// edited are the parts of excelize's that do not go into the archive as they are.
func edited() map[string]func([]byte) ([]byte, error) {
	return map[string]func([]byte) ([]byte, error){contentTypes: sortTypes, styleSheet: plainRoot}
}

// level of compression: half the time of the default's, for a file that is a tenth larger. Lower levels save nothing more.
const level = 5

// zipWriter writes the parts of a workbook in the order of their names with one fixed time, so that equal workbooks are
// equal files. Parts come in an order that changes, sheets of any size among them, so each is compressed into a spool file
// and copied from there at the end.
type zipWriter struct {
	out   io.Writer
	spool *os.File
	parts []*part
	owned map[string]bool // parts that are not excelize's
}

// part is one compressed entry of the archive.
type part struct {
	name       string
	from       int64 // in the spool
	compressed int64
	size       int64
	crc        hash.Hash32
	deflate    *flate.Writer
	edit       func([]byte) ([]byte, error) // before it is compressed; nil: nothing
	buffer     bytes.Buffer                 // of a part that is edited
}

// newZipWriter spools into the folder dir. The caller removes it with discard.
func newZipWriter(out io.Writer, dir string) (*zipWriter, error) {
	spool, err := os.CreateTemp(dir, "xlsx-*.spool")
	if err != nil {
		return nil, err
	}
	return &zipWriter{out: out, spool: spool, owned: map[string]bool{}}, nil
}

// discard closes and removes the spool.
func (z *zipWriter) discard() { _ = errors.Join(z.spool.Close(), os.Remove(z.spool.Name())) }

// own starts a part in place of the one that excelize would write.
func (z *zipWriter) own(name string) (io.Writer, error) {
	z.owned[name] = true
	return z.start(name)
}

// Create starts the next part of excelize's; the one before is complete then.
func (z *zipWriter) Create(name string) (io.Writer, error) {
	if z.owned[name] {
		return io.Discard, nil
	}
	return z.start(name)
}

func (z *zipWriter) start(name string) (io.Writer, error) {
	if err := z.finish(); err != nil {
		return nil, err
	}
	from, err := z.spool.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	p := &part{name: name, from: from, crc: crc32.NewIEEE(), edit: edited()[name]}
	if p.deflate, err = flate.NewWriter(z.spool, level); err != nil {
		return nil, err
	}
	z.parts = append(z.parts, p)
	if p.edit != nil {
		return &p.buffer, nil
	}
	return p, nil
}

// Write compresses bytes of the part.
func (p *part) Write(b []byte) (int, error) {
	n, err := p.deflate.Write(b)
	p.size += int64(n)
	_, _ = p.crc.Write(b[:n]) // never fails
	return n, err
}

// finish ends the part that is being written.
func (z *zipWriter) finish() error {
	if len(z.parts) == 0 {
		return nil
	}
	p := z.parts[len(z.parts)-1]
	if p.edit != nil {
		text, err := p.edit(p.buffer.Bytes())
		if err != nil {
			return err
		}
		if _, err := p.Write(text); err != nil {
			return err
		}
	}
	if err := p.deflate.Close(); err != nil {
		return err
	}
	end, err := z.spool.Seek(0, io.SeekCurrent)
	p.compressed = end - p.from
	return err
}

// AddFS is asked for by excelize's interface and used by none of its writing.
func (z *zipWriter) AddFS(fs.FS) error {
	return errors.New("add a file system: not a part of a workbook")
}

// Close writes the archive. Readers look for the content types first.
func (z *zipWriter) Close() error {
	if err := z.finish(); err != nil {
		return err
	}
	first := func(p *part) int {
		if p.name == contentTypes {
			return 0
		}
		return 1
	}
	slices.SortFunc(z.parts, func(a, b *part) int {
		return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(a.name, b.name))
	})
	archive := zip.NewWriter(z.out)
	for _, p := range z.parts {
		h := &zip.FileHeader{Name: p.name, Method: zip.Deflate, CRC32: p.crc.Sum32(), CompressedSize64: uint64(p.compressed), UncompressedSize64: uint64(p.size)}
		h.Modified = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) // the earliest that the format knows
		w, err := archive.CreateRaw(h)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, io.NewSectionReader(z.spool, p.from, p.compressed)); err != nil {
			return err
		}
	}
	return archive.Close()
}

// types is the part that names the type of each other part.
type types struct {
	XMLName   xml.Name `xml:"http://schemas.openxmlformats.org/package/2006/content-types Types"`
	Defaults  []typed  `xml:"Default"`
	Overrides []typed  `xml:"Override"`
}

type typed struct {
	Extension   string `xml:"Extension,attr,omitempty"`
	PartName    string `xml:"PartName,attr,omitempty"`
	ContentType string `xml:"ContentType,attr"`
}

// sortTypes puts in order what excelize writes in an order that changes from build to build.
func sortTypes(part []byte) ([]byte, error) {
	var t types
	if err := xml.Unmarshal(part, &t); err != nil {
		return nil, fmt.Errorf("%s: %w", contentTypes, err)
	}
	order := func(a, b typed) int {
		return cmp.Or(cmp.Compare(a.Extension, b.Extension), cmp.Compare(a.PartName, b.PartName))
	}
	slices.SortFunc(t.Defaults, order)
	slices.SortFunc(t.Overrides, order)
	sorted, err := xml.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contentTypes, err)
	}
	return append([]byte(xml.Header), sorted...), nil
}

// plainRoot leaves of the namespaces that excelize declares for every styled workbook the one that is used: gnumeric
// complains of the others.
func plainRoot(part []byte) ([]byte, error) {
	_, after, found := bytes.Cut(part, []byte("<styleSheet "))
	_, children, ended := bytes.Cut(after, []byte(">"))
	if !found || !ended {
		return nil, fmt.Errorf("%s: no style sheet", styleSheet)
	}
	return append([]byte(xml.Header+`<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`), children...), nil
}

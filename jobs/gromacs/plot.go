package gromacs

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// panel is one pair of axes: a quantity of all members over time.
type panel struct {
	title  string
	label  string // of the vertical axis, with its unit
	lines  []line
	level  *float64 // a value that was asked for, or a bound; drawn dashed
	remark string   // what the level is
}

// line is one member's curve.
type line struct {
	name         string
	time, values []float64
}

const (
	panelWidth  = 16 * vg.Centimeter
	panelHeight = 7.5 * vg.Centimeter
	dotsPerInch = 180
	mostPoints  = 2000 // of a drawn line; more cannot be seen
	mostLegend  = 12   // members that a legend names
	mostLines   = 400
)

// Colours of Okabe and Ito, distinct for all kinds of sight, then hues around the circle.
var colours = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255},
	{230, 159, 0, 255}, {86, 180, 233, 255}, {90, 60, 20, 255}, {110, 110, 110, 255}}

func colour(i int) color.Color {
	if i < len(colours) {
		return colours[i]
	}
	h := math.Mod(float64(i)*0.618034, 1) * 6
	x := uint8(60 + 130*(1-math.Abs(math.Mod(h, 2)-1)))
	switch int(h) {
	case 0:
		return color.RGBA{190, x, 60, 255}
	case 1:
		return color.RGBA{x, 190, 60, 255}
	case 2:
		return color.RGBA{60, 190, x, 255}
	case 3:
		return color.RGBA{60, x, 190, 255}
	case 4:
		return color.RGBA{x, 60, 190, 255}
	}
	return color.RGBA{190, 60, x, 255}
}

// drawPNG draws panels below each other, with one time axis each.
func drawPNG(panels []panel) ([]byte, error) {
	plots := make([][]*plot.Plot, len(panels))
	for i, one := range panels {
		p, err := one.plot(i == 0, i == len(panels)-1)
		if err != nil {
			return nil, err
		}
		plots[i] = []*plot.Plot{p}
	}
	size := panelHeight * vg.Length(len(panels))
	canvas := vgimg.NewWith(vgimg.UseWH(panelWidth, size), vgimg.UseDPI(dotsPerInch), vgimg.UseBackgroundColor(color.White))
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: 3 * vg.Millimeter,
		PadTop: 2 * vg.Millimeter, PadBottom: 2 * vg.Millimeter, PadLeft: 2 * vg.Millimeter, PadRight: 4 * vg.Millimeter}
	for i, row := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(row[0])
	}
	var out bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// plot lays one panel out.
func (one panel) plot(legend, axis bool) (*plot.Plot, error) {
	p := plot.New()
	sans := func(f *font.Font, size vg.Length) { f.Typeface, f.Variant, f.Size = "Liberation", "Sans", size }
	p.Title.Text = one.title
	p.Title.Padding = 2 * vg.Millimeter
	sans(&p.Title.TextStyle.Font, 11)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		sans(&a.Label.TextStyle.Font, 9.5)
		sans(&a.Tick.Label.Font, 8.5)
		a.Padding = 0
	}
	sans(&p.Legend.TextStyle.Font, 8.5)
	p.Legend.Top = true
	p.Legend.ThumbnailWidth = 5 * vg.Millimeter
	p.Legend.Padding = 0.6 * vg.Millimeter
	p.Legend.XOffs = -2 * vg.Millimeter
	scale, unit := timeUnit(one.lines)
	p.Y.Label.Text = one.label
	if axis {
		p.X.Label.Text = "time (" + unit + ")"
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	for i, l := range one.lines {
		if i == mostLines {
			break
		}
		curve, err := plotter.NewLine(points(l.time, l.values, scale))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.title, err)
		}
		curve.Color, curve.Width = colour(i), vg.Points(1.1)
		if len(one.lines) > mostLegend {
			curve.Width = vg.Points(0.6)
		}
		p.Add(curve)
		if legend && len(one.lines) <= mostLegend {
			p.Legend.Add(l.name, curve)
		}
	}
	if one.level != nil {
		level, err := plotter.NewLine(plotter.XYs{{X: p.X.Min, Y: *one.level}, {X: p.X.Max, Y: *one.level}})
		if err != nil {
			return nil, err
		}
		level.Color, level.Width, level.Dashes = color.Gray{70}, vg.Points(1), []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(level)
		p.Legend.Add(one.remark, level)
	}
	// Room above the curves for the legend, and below so that none lies on the axis.
	span := p.Y.Max - p.Y.Min
	if span <= 0 {
		span = max(1e-3, math.Abs(p.Y.Max)*0.1)
	}
	p.Y.Min -= 0.06 * span
	p.Y.Max += 0.08 * span
	if legend && len(one.lines) <= mostLegend {
		p.Y.Max += span * 0.09 * float64(min(len(one.lines), 6))
	}
	return p, nil
}

// timeUnit is the scale and name of the time axis.
func timeUnit(lines []line) (float64, string) {
	most := 0.0
	for _, l := range lines {
		most = max(most, l.time[len(l.time)-1])
	}
	switch {
	case most > 2e6:
		return 1e-6, "µs"
	case most > 2e3:
		return 1e-3, "ns"
	}
	return 1, "ps"
}

// points are a curve's, thinned to what can be seen: of each stretch its least and
// its most, so that no peak is lost.
func points(time, values []float64, scale float64) plotter.XYs {
	var out plotter.XYs
	add := func(i int) { out = append(out, plotter.XY{X: time[i] * scale, Y: values[i]}) }
	if len(time) <= mostPoints {
		for i := range time {
			add(i)
		}
		return out
	}
	stretch := (2*len(time) + mostPoints - 1) / mostPoints
	for from := 0; from < len(time); from += stretch {
		least, most := from, from
		for i := from; i < min(from+stretch, len(time)); i++ {
			if values[i] < values[least] {
				least = i
			}
			if values[i] > values[most] {
				most = i
			}
		}
		add(min(least, most))
		if least != most {
			add(max(least, most))
		}
	}
	return out
}

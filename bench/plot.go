package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The plot's measures, in pixels.
const (
	plotWidth, plotHeight           = 920, 500
	left, right, top, bottom        = 70, 290, 60, 60
	innerWidth, innerHeight         = plotWidth - left - right, plotHeight - top - bottom
	labelDistance                   = 18
	red, orange, green, blue, black = "#c0392b", "#b9770e", "#1e8449", "#1f618d", "#333333"
)

// curve is what becomes a line: dashed for the floors.
type curve struct {
	name, label, colour string
	dashed              bool
}

var curves = []curve{
	{firstLoad, "whole pass, first load", red, false},
	{changedOne, "whole pass, 1 % changed", orange, false},
	{unchanged, "whole pass, nothing changed", green, false},
	{writeFloor, "floor: COPY", blue, true},
	{readFloor, "floor: ldapsearch", black, true},
}

// plot draws seconds against users, both on logarithmic scales: what costs the same for each user is a straight line of slope 1.
func (r *results) plot() string {
	p := plot{results: r}
	p.scale()
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13" role="img">`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight)
	p.b.WriteString("<title>Seconds that a pass takes, against the number of users</title>\n")
	fmt.Fprintf(&p.b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	p.text(left, 26, "start", black, 16, "Time of a whole pass against the number of users, and the servers' own floors")
	p.text(left, 45, "start", "#666666", 12, fmt.Sprintf("%d cores, median of %d, logarithmic scales", r.Machine.Cores, r.Settings.Runs))
	p.axes()
	p.curves()
	p.b.WriteString("</svg>\n")
	return p.b.String()
}

type plot struct {
	*results
	b                      strings.Builder
	xMin, xMax, yMin, yMax float64 // logarithms to base 10
}

func (p *plot) scale() {
	first, last := p.Sizes[0], p.Sizes[len(p.Sizes)-1]
	p.xMin, p.xMax = math.Log10(float64(first.Users)), math.Log10(float64(last.Users))
	if p.xMin == p.xMax {
		p.xMin, p.xMax = p.xMin-0.5, p.xMax+0.5
	}
	p.yMin, p.yMax = math.Inf(1), math.Inf(-1)
	for _, s := range p.Sizes {
		for _, c := range curves {
			y := math.Log10(s.median(c.name).Wall)
			p.yMin, p.yMax = min(p.yMin, y), max(p.yMax, y)
		}
	}
	const room = 0.15 // for the labels of the lowest and the highest line
	p.yMin, p.yMax = math.Floor((p.yMin-room)*2)/2, math.Ceil((p.yMax+room)*2)/2
}

func (p *plot) x(users float64) float64 {
	return left + innerWidth*(math.Log10(users)-p.xMin)/(p.xMax-p.xMin)
}

func (p *plot) y(seconds float64) float64 {
	return top + innerHeight*(p.yMax-math.Log10(seconds))/(p.yMax-p.yMin)
}

func (p *plot) text(x, y float64, anchor, colour string, size int, text string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s" font-size="%d">%s</text>`+"\n", x, y, anchor, colour, size, text)
}

func (p *plot) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(&p.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

// axes draws a grid at 1, 2 and 5 of each power of ten.
func (p *plot) axes() {
	for _, seconds := range steps(p.yMin, p.yMax) {
		y := p.y(seconds)
		p.line(left, y, left+innerWidth, y, "#e4e4e4")
		p.text(left-8, y+4, "end", black, 12, fmt.Sprintf("%v s", seconds))
	}
	for _, users := range steps(p.xMin, p.xMax) {
		x := p.x(users)
		p.line(x, top, x, top+innerHeight, "#e4e4e4")
		p.text(x, top+innerHeight+20, "middle", black, 12, thousands(int(users)))
	}
	p.line(left, top+innerHeight, left+innerWidth, top+innerHeight, black)
	p.line(left, top, left, top+innerHeight, black)
	p.text(left+innerWidth/2, plotHeight-14, "middle", black, 13, "users")
}

func steps(from, to float64) []float64 {
	var list []float64
	for power := math.Floor(from); power <= to; power++ {
		for _, digit := range []float64{1, 2, 5} {
			if at := power + math.Log10(digit); at >= from-1e-9 && at <= to+1e-9 {
				list = append(list, math.Round(digit*math.Pow(10, power)*1e6)/1e6)
			}
		}
	}
	return list
}

func (p *plot) curves() {
	type label struct {
		curve
		y, at float64 // where the line ends, and where its label stands
	}
	var labels []label
	for _, c := range curves {
		dash := ""
		if c.dashed {
			dash = ` stroke-dasharray="6 4"`
		}
		var points, dots strings.Builder
		var y float64
		for _, s := range p.Sizes {
			x := p.x(float64(s.Users))
			y = p.y(s.median(c.name).Wall)
			fmt.Fprintf(&points, "%.1f,%.1f ", x, y)
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x, y, c.colour)
		}
		fmt.Fprintf(&p.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n%s\n", strings.TrimSpace(points.String()), c.colour, dash, &dots)
		labels = append(labels, label{c, y, y})
	}
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := 1; i < len(labels); i++ {
		labels[i].at = max(labels[i].at, labels[i-1].at+labelDistance)
	}
	floor := float64(top + innerHeight - labelDistance/2)
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].at = min(labels[i].at, floor)
		floor = labels[i].at - labelDistance
	}
	x := p.x(float64(p.Sizes[len(p.Sizes)-1].Users))
	for _, l := range labels {
		p.line(x+5, l.y, x+18, l.at, l.colour)
		p.text(x+22, l.at+4, "start", l.colour, 13, l.label+fmt.Sprintf(", %.3g s", p.Sizes[len(p.Sizes)-1].median(l.name).Wall))
	}
}

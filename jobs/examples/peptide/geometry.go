package main

import "math"

// vec is a point or a direction in ångström.
type vec [3]float64

func (a vec) minus(b vec) vec        { return vec{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }
func (a vec) plus(b vec) vec         { return vec{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }
func (a vec) times(k float64) vec    { return vec{a[0] * k, a[1] * k, a[2] * k} }
func (a vec) dot(b vec) float64      { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }
func (a vec) length() float64        { return math.Sqrt(a.dot(a)) }
func (a vec) unit() vec              { return a.times(1 / a.length()) }
func (a vec) distance(b vec) float64 { return a.minus(b).length() }
func (a vec) cross(b vec) vec {
	return vec{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// place puts an atom at a distance from c, with the angle b–c–atom and the
// dihedral a–b–c–atom in degrees.
func place(a, b, c vec, distance, angle, dihedral float64) vec {
	theta, phi := angle*math.Pi/180, dihedral*math.Pi/180
	along := c.minus(b).unit()
	normal := b.minus(a).cross(along).unit()
	side := normal.cross(along)
	return c.plus(along.times(-distance * math.Cos(theta))).
		plus(side.times(distance * math.Sin(theta) * math.Cos(phi))).
		plus(normal.times(distance * math.Sin(theta) * math.Sin(phi)))
}

# A random walk whose step grows with the temperature: how far does it come?
BEGIN {
	srand(ENVIRON["ZENNET_PARAM_seed"])
	width = sqrt(ENVIRON["ZENNET_PARAM_temp"] / 300)
	for (i = 0; i < ENVIRON["STEPS"]; i++) {
		x += (2 * rand() - 1) * width
		y += (2 * rand() - 1) * width
	}
	print "distance", sqrt(x * x + y * y) > "out/walk.txt"
}

mkdir m; for x in 400 444 555 600 644 664 755 777 4755 2755 1644; do echo $x >m/$x; chmod $x m/$x; done; mkdir -m 2775 m/dir; mkdir -m 1777 m/t; mkdir -m 700 m/p

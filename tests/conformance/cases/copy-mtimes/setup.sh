mkdir m; for t in 0 1 999999999 1599999999; do echo $t >m/$t; touch -d @$t m/$t; done; ln -s 0 m/l; touch -h -d @12345 m/l

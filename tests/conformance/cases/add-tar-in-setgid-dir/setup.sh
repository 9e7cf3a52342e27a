mkdir -p t/d; echo x >t/d/x; tar -C t --owner=7 --group=8 -cf t.tar d; tar -C t --owner=7 --group=8 -rf t.tar d/x --transform=s,d/x,implied/x,; rm -r t

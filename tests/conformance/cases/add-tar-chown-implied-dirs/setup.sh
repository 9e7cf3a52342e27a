mkdir -p t/d/e; echo x >t/d/e/x; tar -C t -cf t.tar d/e/x; rm -r t

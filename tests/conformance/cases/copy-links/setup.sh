mkdir l; echo x >l/f; ln -s f l/rel; ln -s /etc/passwd l/abs; ln -s nowhere l/dangling; ln -s ../../.. l/up; ln -s . l/self

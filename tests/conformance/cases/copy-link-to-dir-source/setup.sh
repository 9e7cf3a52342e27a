ln -s dir link

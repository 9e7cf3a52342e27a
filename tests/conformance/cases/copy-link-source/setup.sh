echo target >t; ln -s t link

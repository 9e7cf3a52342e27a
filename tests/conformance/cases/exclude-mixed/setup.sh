mkdir one two three; cd one; touch a.png b.txt c.jpg; cd ../two; touch d.pdf e.jpg f.png; cd ../three; touch g.mp3 h.mpeg

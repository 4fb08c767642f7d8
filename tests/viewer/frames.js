// Scrolls the waterfall from top to bottom in a second and a half, and returns how long each frame took to follow.
async () => {
  const view = document.querySelector("[role=treegrid]");
  const end = view.scrollHeight - view.clientHeight;
  const frames = [];
  const began = performance.now();
  for (let last = began, now = began; now - began < 1500; last = now) {
    view.scrollTop = ((now - began) / 1500) * end;
    now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
  }
  return frames.slice(2);
};

// How components are compiled: runes everywhere, and styles in files, as the Content-Security-Policy asks.
export default {
  compilerOptions: { runes: true },
};

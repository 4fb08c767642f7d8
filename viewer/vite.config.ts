// Builds the page into the Python package; in development, passes the API on to a running `millrace serve`.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const SERVER = process.env.MILLRACE_UI ?? "http://127.0.0.1:4319";

export default defineConfig({
  plugins: [svelte()],
  server: { proxy: { "/api": SERVER } },
  build: {
    outDir: "../python/millrace/api/static",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // `default-src 'self'` forbids data: URLs
    license: { fileName: "licenses.md" },
  },
});

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["vendor/"] },
  js.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.worker } } },
  { files: ["test/**", "browser/**"], languageOptions: { globals: globals.node } },
  { rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error" } },
];

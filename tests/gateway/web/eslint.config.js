import { fileURLToPath } from "node:url";

import js from "@eslint/js";
import globals from "globals";
import typescript from "typescript-eslint";

const RULES = {
  ...js.configs.recommended.rules,
  eqeqeq: ["error", "always", { null: "ignore" }], // `== null` is null or undefined: JSON has the one, JavaScript the other.
  "max-len": ["error", { code: 130, ignoreUrls: true }],
  "max-params": ["error", 4],
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": "error",
};

export default [
  { ignores: ["**/vendor/**", "**/node_modules/**"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["services/**/*.js"],
    plugins: { "@typescript-eslint": typescript.plugin },
    languageOptions: {
      globals: globals.browser,
      // Through the compiler, rules see the types that the JSDoc comments declare.
      parser: typescript.parser,
      parserOptions: { project: "./tsconfig.json", tsconfigRootDir: fileURLToPath(new URL(".", import.meta.url)) },
    },
    rules: {
      ...RULES,
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/only-throw-error": ["error", { allowRethrowing: true }],
    },
  },
  {
    files: ["tests/**/*.js"],
    languageOptions: { globals: { ...globals.browser, ...globals.node } },
    rules: RULES,
  },
];

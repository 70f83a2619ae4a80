// Which Node can run this program. Checked before anything else of it is loaded, since an older one fails later and in
// strange ways.

const MAJOR = 22;
const MINOR = 12;

/** What is wrong with this version of Node; undefined when it will do. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > MAJOR || (major === MAJOR && minor >= MINOR)) return undefined;
  return `this is Node ${version}; sharper needs ${MAJOR}.${MINOR} or newer, such as the one that scripts/sharper uses`;
}

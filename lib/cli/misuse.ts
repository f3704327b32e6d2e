/** The command line asks for something that makes no sense: exit code 2, and where help is. */
export class Misuse extends Error {}

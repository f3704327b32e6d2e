/** The folder of this package, as an absolute path. */
export declare const root: string

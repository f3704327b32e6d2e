/** A model that was named is loaded, and listed to be closed; one that was given stays its owner's. */
export async function openedOne<Model extends { close(): Promise<void> }>(
  kind: { load(name: string, options?: object): Promise<Model> },
  given: string | Model,
  options: object,
  opened: { close(): Promise<void> }[],
): Promise<Model> {
  if (typeof given !== 'string') return given
  const model = await kind.load(given, options)
  opened.push(model)
  return model
}

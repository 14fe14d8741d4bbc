-- What the delivery log calls each event type, beside what the pattern of the integers suggests. The suggestion stays one:
-- it stands in `hypothesis_label` and is never filled into `observed_label`.
with hypotheses as (
    select
        event_type,
        resource_family,
        action,
        resource_family || ' ' || action as hypothesis_label,
        produced_by
    from {{ ref('event_types') }}
),

-- log rows that the API has dropped still count: the log is kept here longer than there
log_rows as (
    select
        organization,
        event_type,
        observed_label,
        regexp_replace(lower(observed_label), '\s+', '', 'g') as folded_label,
        coalesce(created_at, first_extracted_at) as observed_at
    from {{ ref('stg_raise__webhook_logs') }}
    where event_type is not null
),

observed_types as (
    select
        organization,
        event_type,
        count(*) as observations,
        count(distinct folded_label) as label_count,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at
    from log_rows
    group by organization, event_type
),

spellings as (
    select
        organization,
        event_type,
        folded_label,
        observed_label,
        count(*) as spelling_rows,
        sum(count(*)) over (partition by organization, event_type, folded_label) as label_rows
    from log_rows
    where folded_label is not null
    group by organization, event_type, folded_label, observed_label
),

most_frequent_labels as (
    select
        organization,
        event_type,
        observed_label,
        -- for the meaning, punctuation is no more than a space: `gift.created`
        regexp_replace(folded_label, '[^\p{L}\p{N}]', '', 'g') as label_meaning
    from spellings
    qualify
        row_number() over (
            partition by organization, event_type
            order by label_rows desc, folded_label asc, spelling_rows desc, observed_label asc
        ) = 1
),

known_types as (
    select
        organizations.organization,
        hypotheses.event_type
    from {{ ref('int_organizations') }} as organizations
    cross join hypotheses
    union
    select
        organization,
        event_type
    from observed_types
),

described_types as (
    select
        known_types.organization,
        known_types.event_type,
        hypotheses.resource_family,
        hypotheses.action,
        hypotheses.hypothesis_label,
        hypotheses.produced_by,
        most_frequent_labels.observed_label,
        most_frequent_labels.label_meaning,
        coalesce(observed_types.observations, 0) as observations,
        coalesce(observed_types.label_count, 0) as label_count,
        observed_types.first_observed_at,
        observed_types.last_observed_at,
        lower(hypotheses.resource_family) as family_word,
        case hypotheses.action
            when 'created' then ['created', 'new', 'added', 'create', 'add']
            when 'updated'
                then ['updated', 'modified', 'changed', 'edited', 'update', 'modify', 'change', 'edit']
            else
                [
                    'deleted', 'removed', 'archived', 'cancelled', 'canceled',
                    'delete', 'remove', 'archive', 'cancel'
                ]
        end as action_words
    from known_types
    left join hypotheses on known_types.event_type = hypotheses.event_type
    left join observed_types
        on
            known_types.organization = observed_types.organization
            and known_types.event_type = observed_types.event_type
    left join most_frequent_labels
        on
            known_types.organization = most_frequent_labels.organization
            and known_types.event_type = most_frequent_labels.event_type
)

select
    organization,
    event_type,
    resource_family,
    action,
    hypothesis_label,
    observed_label,
    observations,
    label_count,
    first_observed_at,
    last_observed_at,
    case
        when hypothesis_label is null then 'undocumented'
        when label_count > 1 then 'ambiguous'
        when observed_label is null then 'unobserved'
        when
            list_contains(list_transform(action_words, lambda x: family_word || x), label_meaning)
            or list_contains(list_transform(action_words, lambda x: x || family_word), label_meaning)
            then 'confirmed'
        else 'contradicted'
    end as status,
    produced_by
from described_types
